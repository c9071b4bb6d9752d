"""Configuration of the accounts app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Tenants, users, memberships, API keys."""

    name = "salesflow.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Let the OpenAPI document know our credentials."""
        from salesflow.accounts.rest import schema  # noqa: F401
