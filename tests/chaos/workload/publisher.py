"""A publishing process: singles, pairs and bulks of several tenants until it is told to stop.

    python -m tests.chaos.workload.publisher SEED LEDGER PACE

It keeps its ledger honestly: “rolled back” is noted only where COMMIT was never sent, and where
COMMIT was sent but not answered, the outcome stays unknown.
"""

import random
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import django

django.setup()

from django.db import Error, close_old_connections, transaction  # noqa: E402

from events import replay_event  # noqa: E402
from events.models import Event  # noqa: E402
from salesflow.accounts.context import tenant_context  # noqa: E402
from salesflow.accounts.models import Tenant  # noqa: E402
from tests.chaos.ledger import Ledger, Outcome, Parcel  # noqa: E402
from tests.chaos.workload import models  # noqa: E402
from tests.chaos.workload.fates import FATES  # noqa: E402
from tests.chaos.workload.sabotage import Sabotage, sabotaged  # noqa: E402

TENANTS = ("ash", "birch", "cedar")
KINDS = {"counted": 4, "called": 3, "queued": 3}
SERIES = 5
# How many parcels a transaction writes → how often.
SIZES = {1: 80, 2: 12, 40: 6, 150: 2}
ROLLBACKS = 0.05
REPLAYS = 0.2

T = TypeVar("T")


class ChangeOfMind(Exception):
    """The publisher rolls back what it wrote."""


@dataclass
class Publisher:
    """Draws transactions, carries them out and keeps the ledger."""

    random: random.Random
    ledger: Ledger
    # Mended parcels whose publishing is known to be committed.
    mended: list[Parcel] = field(default_factory=list)
    # A tenant's series → the number of its last parcel.
    series: dict[str, dict[str, int]] = field(default_factory=dict)

    def publish(self, tenant: Tenant) -> None:
        """Carry out one transaction that chance decides, whatever comes of it."""
        self._carry_out(tenant, self._draw_parcels(tenant), self.random.random() < ROLLBACKS)

    def publish_samples(self, tenant: Tenant) -> None:
        """Publish a parcel of each kind and fate, so that none is missing in a short run."""
        for kind, fates in FATES.items():
            samples = [self._make_parcel(tenant, kind, fate) for fate in fates]
            self._carry_out(tenant, samples, changes_mind=False)

    def _carry_out(self, tenant: Tenant, parcels: list[Parcel], changes_mind: bool) -> None:
        name = self.ledger.begin(parcels)
        asked_to_commit = False
        try:
            with tenant_context(tenant), transaction.atomic():
                _write(parcels)
                if changes_mind and not sabotaged(Sabotage.LEDGER):
                    raise ChangeOfMind
                if changes_mind:
                    transaction.set_rollback(True)
                asked_to_commit = True
            self.ledger.end(name, Outcome.COMMITTED)
            self.mended += [parcel for parcel in parcels if parcel.fate == "mended"]
        except ChangeOfMind:
            self.ledger.end(name, Outcome.ROLLED_BACK)
        except Exception as error:  # the audit decides which errors a publisher may meet
            outcome = Outcome.UNKNOWN if asked_to_commit else Outcome.ROLLED_BACK
            self.ledger.end(name, outcome, f"{type(error).__name__}: {error}")

    def replay(self) -> None:
        """Mend a parcel that has failed, and replay its event."""
        if not self.mended:
            return
        parcel = self.random.choice(self.mended)
        try:
            event = Event.unscoped.get(subject_id=parcel.series_id, payload__parcel_id=parcel.id)
            if event.status == "failed":
                models.Repair.objects.get_or_create(parcel_id=parcel.id)
                replay_event(event.id, reason="mended")
                self.ledger.note_replay(parcel.id)
        except Error:
            return  # nobody can say whether it was accepted

    def _draw_parcels(self, tenant: Tenant) -> list[Parcel]:
        kind, size = _draw(self.random, KINDS), _draw(self.random, SIZES)
        if kind == "called":  # a call outside takes a while: in bulk they would only pile up
            size = min(size, 2)
        fates = [_draw(self.random, FATES[kind]) for _ in range(size)]
        return [self._make_parcel(tenant, kind, fate) for fate in fates]

    def _make_parcel(self, tenant: Tenant, kind: str, fate: str) -> Parcel:
        series = self.series.setdefault(str(tenant.id), {str(uuid4()): 0 for _ in range(SERIES)})
        series_id = self.random.choice(list(series))
        series[series_id] += 1
        return Parcel(str(uuid4()), str(tenant.id), kind, fate, series_id, series[series_id])


def _draw(source: random.Random, weights: dict[T, int]) -> T:
    return source.choices(list(weights), list(weights.values()))[0]


def _write(parcels: list[Parcel]) -> None:
    rows = [
        models.Parcel(
            id=parcel.id,
            kind=parcel.kind,
            fate=parcel.fate,
            series_id=parcel.series_id,
            number=parcel.number,
        )
        for parcel in parcels
    ]
    if len(rows) > 2:
        models.Parcel.objects.bulk_create(rows)
        return
    for row in rows:
        row.save(force_insert=True)


def prepare() -> list[Tenant]:
    """The tenants with their counters, made by the publisher that comes first."""
    tenants = [Tenant.objects.get_or_create(slug=slug)[0] for slug in TENANTS]
    for tenant in tenants:
        models.Counter.objects.get_or_create(tenant_id=tenant.id)
    return tenants


def main(seed: str, path: str, pace: str) -> None:
    """Publish at random moments until SIGTERM, then end with the transaction that is on its way.

    Args:
        seed: of what is drawn.
        path: the ledger's.
        pace: transactions a second, on average.
    """
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    publisher = Publisher(random.Random(seed), Ledger(Path(path)))
    tenants = prepare()
    publisher.publish_samples(tenants[0])
    while not stopped.wait(publisher.random.expovariate(float(pace))):
        if publisher.random.random() < REPLAYS:
            publisher.replay()
        else:
            publisher.publish(publisher.random.choice(tenants))
        close_old_connections()


if __name__ == "__main__":
    main(*sys.argv[1:])
