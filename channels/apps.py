"""Configuration of the channels app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """See `channels.models`."""

    name = "channels"
    verbose_name = _("Channels")
