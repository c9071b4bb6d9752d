"""Configuration of the event backbone."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    """Finds the payloads and handlers of all installed apps."""

    name = "events"
    verbose_name = _("Events")

    def ready(self) -> None:
        """Load payloads, then handlers; refuse handlers of unknown event types."""
        from events.publishers import connect_publishing
        from events.registry import check_event_types
        from events.standard_groups import connect_groups

        autodiscover_modules("payloads")
        autodiscover_modules("handlers")
        check_event_types()
        connect_publishing()
        connect_groups()
