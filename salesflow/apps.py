"""The project as a Django app: its settings' checks, and the broker in its database."""

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db.models.signals import post_migrate


class SalesFlowConfig(AppConfig):
    """Checks the settings, traces where the environment asks for it, and puts the broker's schema
    into every database that is migrated.
    """

    name = "salesflow"
    verbose_name = "SalesFlow"

    def ready(self) -> None:
        """Connect them."""
        from salesflow import checks, tracing  # noqa: F401

        tracing.configure()
        # The signal passes over apps without models, such as this one.
        post_migrate.connect(_install_broker, sender=apps.get_app_config("accounts"))


def _install_broker(using: str, **_: Any) -> None:
    from salesflow.broker import install_pgmq

    if settings.CELERY_BROKER_URL.startswith("pgmq"):
        install_pgmq(using)
