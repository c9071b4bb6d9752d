"""Configuration of the channels app."""

from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """Conversations, messages, and the transports that carry them."""

    name = "channels"
    verbose_name = _("Channels")

    def ready(self) -> None:
        """Register the transports; give every new tenant accounts to try things on."""
        from channels.models import Channel
        from channels.services.accounts import create_accounts_of_new_tenant
        from channels.transports import register_transport
        from channels.transports.linkedin import AssistedTransport
        from channels.transports.mail import MailTransport
        from channels.transports.sandbox import SandboxTransport
        from channels.transports.whatsapp import WhatsAppTransport
        from salesflow.accounts.models import Tenant

        register_transport(SandboxTransport(), Channel.EMAIL, Channel.WHATSAPP)
        register_transport(AssistedTransport(), Channel.LINKEDIN)
        register_transport(MailTransport(), Channel.EMAIL)
        register_transport(WhatsAppTransport(), Channel.WHATSAPP)
        post_save.connect(
            create_accounts_of_new_tenant, sender=Tenant, dispatch_uid="channels.first_accounts"
        )
