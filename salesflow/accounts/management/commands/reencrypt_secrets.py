"""Puts what is kept encrypted under the present key."""

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from salesflow.accounts.commands import PlainCommand
from salesflow.accounts.encryption import Undecipherable, encrypt_anew


class Command(PlainCommand):
    """The last step of replacing a secret key."""

    help = (
        "Encrypts the secrets of channel accounts anew with the present SALESFLOW_SECRET_KEY; after"
        " that the earlier key can go from SALESFLOW_SECRET_KEY_FALLBACKS."
    )

    def handle(self, **options: Any) -> None:
        """Do it, or change nothing."""
        try:
            number = encrypt_anew()
        except Undecipherable as error:
            raise CommandError(str(error)) from None
        self.stdout.write(_("%(number)d rows are under the present key.") % {"number": number})
