"""Deletes old events."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from events.pruning import count_old, moment_ago, prune
from salesflow.accounts.commands import PlainCommand, duration

DAYS = 90


class Command(PlainCommand):
    """Keeps the event log from growing for ever."""

    help = (
        "Deletes the settled events of all tenants that were recorded long ago, with their "
        "deliveries and attempts, the lists of events of replays that finished long ago, and "
        "failure groups that nothing has joined and nobody has touched since. "
        "Pending events stay, and so do failed ones that later events of the same subject wait "
        "for. It works in small batches and may be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        span = f"{settings.EVENT_RETENTION_DAYS or DAYS}d"
        add("--older-than", default=span, metavar="SPAN", help=f"such as 90d, 12h or 26w ({span})")
        add("--dry-run", action="store_true", help="count what would go, delete nothing")

    def handle(self, **options: Any) -> None:
        """Prune, and say how much went."""
        before = moment_ago(duration(options["older_than"]))
        if options["dry_run"]:
            found = count_old(before)
            text = _(
                "%(events)s events, %(items)s items of replays and %(groups)s failure groups would "
                "be deleted."
            )
            self.stdout.write(text % asdict(found))
            return
        with self.progress(None, "events") as bar:
            pruned = prune(before, bar.update)
        text = _(
            "Deleted %(events)s events, %(items)s items of replays and %(groups)s failure groups."
        )
        self.stdout.write(text % asdict(pruned))
