"""Creates a tenant."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.services import create_tenant


class Command(PlainCommand):
    """A company that works with SalesFlow, with its default pipeline."""

    help = "Creates a tenant: a company that works with SalesFlow."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        languages = [code for code, _name in settings.LANGUAGES]
        parser.add_argument("slug", metavar="SLUG", help="its short name in commands: acme")
        parser.add_argument("--name", required=True, help="its name for people")
        parser.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin (UTC)")
        parser.add_argument("--language", default="en", help=f"one of {', '.join(languages)} (en)")

    def handle(self, **options: Any) -> None:
        """Create it and say so."""
        names = ("name", "time_zone", "language")
        tenant = create_tenant(options["slug"], **{name: options[name] for name in names})
        text = _("Created the tenant %(slug)s (%(id)s).")
        self.stdout.write(text % {"slug": tenant.slug, "id": tenant.id})
