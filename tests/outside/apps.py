"""Configuration of the app: it brings a transport along."""

from django.apps import AppConfig


class OutsideConfig(AppConfig):
    """See the package."""

    name = "tests.outside"

    def ready(self) -> None:
        """Register the transport."""
        from channels.models import Channel
        from channels.transports import register_transport
        from tests.outside.carrier import MortalTransport

        register_transport(MortalTransport(), Channel.EMAIL)
