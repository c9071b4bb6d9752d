"""Deletes old events."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from events.pruning import count_old, prune
from salesflow.accounts.commands import PlainCommand, duration


class Command(PlainCommand):
    """Keeps the event log from growing for ever."""

    help = (
        "Deletes the settled events of all tenants that were recorded long ago, with their "
        "deliveries and attempts, and the replays that finished long ago. Pending events stay. "
        "It works in small batches and may be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--older-than", default="90d", metavar="SPAN", help="such as 90d, 12h or 26w (90d)")
        add("--dry-run", action="store_true", help="count what would go, delete nothing")

    def handle(self, **options: Any) -> None:
        """Prune, and say how much went."""
        before = timezone.now() - duration(options["older_than"])
        if options["dry_run"]:
            found = count_old(before)
            text = _("%(events)s events and %(replays)s replays would be deleted.")
            self.stdout.write(text % asdict(found))
            return
        with self.progress(None, "events") as bar:
            pruned = prune(before, bar.update)
        text = _("Deleted %(events)s events and %(replays)s replays.")
        self.stdout.write(text % asdict(pruned))
