"""Makers of parcels for tests that start the services themselves."""

from uuid import uuid4

from tests.chaos.workload.models import Parcel


def send_parcels(fates: list[str], kind: str = "counted") -> list[Parcel]:
    """One parcel of the current tenant for each fate, published in one transaction."""
    series_id = uuid4()
    parcels = [
        Parcel(kind=kind, fate=fate, series_id=series_id, number=number)
        for number, fate in enumerate(fates)
    ]
    return list(Parcel.objects.bulk_create(parcels))
