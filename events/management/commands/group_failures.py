"""Groups old failures."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from events.failures.backfilling import count_ungrouped, group_recorded
from salesflow.accounts.commands import PlainCommand


class Command(PlainCommand):
    """Gives groups to what failed before there were groups."""

    help = (
        "Puts the failures that were recorded before there were failure groups into groups, as"
        " their tracebacks tell, and counts them at the time at which they happened. It works in"
        " small batches beside the workers, and may be interrupted and run again: what has a group"
        " is passed over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def handle(self, **options: Any) -> None:
        """Group them, and say how many there were."""
        number = count_ungrouped()
        if options["dry_run"]:
            self.stdout.write(_("Failures without a group: %(number)d.") % {"number": number})
            return
        with self.progress(number, "failures") as bar:
            grouped = group_recorded(bar.update)
        figures = {"number": grouped.deliveries, "groups": len(grouped.groups)}
        self.stdout.write(_("Failures put into groups: %(number)d; groups: %(groups)d.") % figures)
        if left := count_ungrouped():
            text = _("Left, because workers are at them: %(left)d. Run it again.")
            self.stdout.write(text % {"left": left})
