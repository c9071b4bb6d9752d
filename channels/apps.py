"""Configuration of the channels app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """Conversations, messages, and the transports that carry them."""

    name = "channels"
    verbose_name = _("Channels")

    def ready(self) -> None:
        """Register the transports."""
        from channels.models import Channel
        from channels.transports import register_transport
        from channels.transports.sandbox import SandboxTransport

        register_transport(SandboxTransport(), Channel.EMAIL, Channel.WHATSAPP)
