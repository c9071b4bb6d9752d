"""Loads the demo tenant."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.models import Message
from events.models import Event, EventStatus
from leads.models import Lead
from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from salesflow.demo.access import SLUG, Access, create_access
from salesflow.demo.loading import StoryLoader
from salesflow.demo.sequence import load_sequence
from salesflow.demo.settling import settle_pending_events
from salesflow.demo.story import Story, tell_stories
from salesflow.demo.to_do import load_to_do


class Command(PlainCommand):
    """A tenant with people, months of leads, messages and a few honest failures."""

    help = (
        "Loads the tenant “demo” with months of made-up leads, and writes its logins and API key "
        "to demo.json in the home directory. Does nothing when the tenant exists."
    )

    def handle(self, **_options: Any) -> None:
        """Write the history, settle its events, send the messages of today."""
        if Tenant.objects.filter(slug=SLUG).exists():
            text = _("The tenant “%(slug)s” is loaded already.")
            self.stdout.write(text % {"slug": SLUG})
            return
        with transaction.atomic():
            access = create_access()
            with tenant_context(access.tenant):
                loader = StoryLoader(todays_stories(access), access.reps)
                loader.write_history()
        access.write(settings.HOME / "demo.json")
        with tenant_context(access.tenant):
            self._settle()
            # After the rest, or their latency would tell how long the rest took.
            loader.write_to_leads()
            load_to_do(access.reps, timezone.now().astimezone(zone_of(access)))
            load_sequence(access.reps)
            self._settle()
            self._summarise()

    def _settle(self) -> None:
        pending = Event.objects.filter(status=EventStatus.PENDING).count()
        with expected_failures(), self.progress(pending, "events", title="Settling") as bar:
            settle_pending_events(bar.update)

    def _summarise(self) -> None:
        events = Event.objects.aggregate(
            all=Count("id"), failed=Count("id", filter=Q(status=EventStatus.FAILED))
        )
        text = _(
            "%(leads)s leads, %(messages)s messages, %(events)s events, %(failed)s of them "
            "failed for you to look at"
        )
        numbers = {"leads": Lead.objects.count(), "messages": Message.objects.count()}
        numbers |= {"events": events["all"], "failed": events["failed"]}
        self.stdout.write(text % {name: intcomma(number) for name, number in numbers.items()})


def todays_stories(access: Access) -> list[Story]:
    """What happened until last midnight, where the tenant is."""
    zone = zone_of(access)
    today = timezone.now().astimezone(zone).date()
    return tell_stories(today, zone, [user.name for user in access.reps])


def zone_of(access: Access) -> ZoneInfo:
    """Where the tenant is."""
    return ZoneInfo(access.tenant.time_zone)


@contextmanager
def expected_failures() -> Iterator[None]:
    """Keep what fails on purpose out of the log: nobody need be alarmed by it."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
