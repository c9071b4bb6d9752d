"""LinkedIn, carried by people: the text is prepared, the profile opened, and a colleague confirms.

LinkedIn's Messages API is for approved partners and forbids automated and scheduled sends. A
partner registers a transport of their own in this one's place.
"""

from django.utils.translation import gettext_lazy as _

from channels.models import Account
from channels.transports.interface import BaseTransport, Outgoing, Receipt, TransportError


class AssistedTransport(BaseTransport):
    """See the module."""

    name = "linkedin"
    label = _("LinkedIn, by hand")
    description = _(
        "A colleague sends the prepared text: LinkedIn lets no program write in their name."
    )
    is_assisted = True

    def send(self, account: Account, outgoing: Outgoing) -> Receipt:
        """Nothing is sent by a program here."""
        raise TransportError(_("A person has to send this message."), permanent=True)
