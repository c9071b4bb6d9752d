"""Configuration of the autopilot app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AutopilotConfig(AppConfig):
    """What language models are asked, what they cost, and what people make of their answers."""

    name = "channels.autopilot"
    label = "autopilot"
    verbose_name = _("Autopilot")

    def ready(self) -> None:
        """Find system checks, and what models can be asked."""
        from channels.autopilot import checks  # noqa: F401
        from channels.autopilot.actions import (  # noqa: F401
            checking,
            drafting,
            extracting,
            proposing,
            qualifying,
            summarising,
        )
