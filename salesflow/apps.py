"""The project as a Django app: its settings' checks, and the broker in its database."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class SalesFlowConfig(AppConfig):
    """Checks the settings; puts the broker's schema into every database that is migrated."""

    name = "salesflow"
    verbose_name = "SalesFlow"

    def ready(self) -> None:
        """Connect both."""
        from salesflow import checks  # noqa: F401

        post_migrate.connect(_install_broker, sender=self)


def _install_broker(using: str, **_: Any) -> None:
    from salesflow.broker import install_pgmq

    if settings.CELERY_BROKER_URL.startswith("pgmq"):
        install_pgmq(using)
