"""Configuration of the demo app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DemoConfig(AppConfig):
    """Makes a tenant that looks as if people had worked with it for months."""

    name = "salesflow.demo"
    label = "demo"
    verbose_name = _("Demo")
