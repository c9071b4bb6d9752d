"""Office hours for the tenants that there are: who comes later gets them at once."""

from typing import Any

from django.db import migrations

HOURS = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def give_calendars(apps: Any, _editor: Any) -> None:
    """One calendar, the default, to every tenant that has none."""
    calendars = apps.get_model("sequences", "WorkCalendar")
    tenants = apps.get_model("accounts", "Tenant").objects
    without = tenants.exclude(pk__in=calendars.objects.values("tenant"))
    calendars.objects.bulk_create(
        calendars(
            tenant=tenant,
            name="Bürozeiten" if tenant.language == "de" else "Office hours",
            hours=HOURS,
            country="DE" if tenant.language == "de" else "",
            is_default=True,
        )
        for tenant in without.iterator()
    )


class Migration(migrations.Migration):
    dependencies = [("sequences", "0001_initial")]

    operations = [migrations.RunPython(give_calendars, migrations.RunPython.noop)]
