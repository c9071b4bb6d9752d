"""Builds the facts of analytics anew from the event log."""

from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.rebuilding import Rebuilt, count_told_events, rebuild_facts
from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import get_tenant


class Command(PlainCommand):
    """Each tenant's facts are built anew in one transaction: all of them, or nothing."""

    help = (
        "Builds the numbers of analytics anew from the event log, tenant by tenant. Facts whose "
        "events were pruned stay. Meanwhile a tenant's events wait to be handled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--tenant", metavar="SLUG", help="only this one's; by default all")

    def handle(self, **options: Any) -> None:
        """Rebuild, and tell how many events were read."""
        rebuilt = {tenant.slug: self._rebuild(tenant) for tenant in _tenants(options["tenant"])}
        for slug, result in rebuilt.items():
            text = _("%(tenant)s: %(number)s events read")
            self.stdout.write(text % {"tenant": slug, "number": intcomma(result.events)})
        failed = [event for result in rebuilt.values() for event in result.failed.items()]
        if failed:
            event_id, error = failed[0]
            raise CommandError(
                ngettext(
                    "%(count)d event could not be counted, %(event)s: %(error)s",
                    "%(count)d events could not be counted, the first is %(event)s: %(error)s",
                    len(failed),
                )
                % {"count": len(failed), "event": event_id, "error": error}
            )

    def _rebuild(self, tenant: Tenant) -> Rebuilt:
        with self.progress(None, "events", title=tenant.slug) as bar:
            if not bar.disable:
                bar.total = count_told_events(tenant)
            return rebuild_facts(tenant, progress=bar.update)


def _tenants(slug: str | None) -> list[Tenant]:
    return [get_tenant(slug)] if slug else list(Tenant.objects.all())
