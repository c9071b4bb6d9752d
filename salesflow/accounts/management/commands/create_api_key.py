"""Creates an API key."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.queries import get_tenant
from salesflow.accounts.services import create_api_key


class Command(PlainCommand):
    """A program's credential for one tenant."""

    help = "Creates an API key and prints it, alone; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose data it opens")
        parser.add_argument("--name", required=True, help="what it is for")

    def handle(self, **options: Any) -> None:
        """Create it and print it."""
        tenant = get_tenant(options["tenant"])
        name = options["name"].strip()
        if not 0 < len(name) <= 50:
            raise CommandError(_("--name takes 1 to 50 characters."))
        _row, key = create_api_key(tenant, name=name)
        self.stdout.write(key)
