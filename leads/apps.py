"""Configuration of the leads app."""

from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class LeadsConfig(AppConfig):
    """Leads, pipelines, notes, capture and import."""

    name = "leads"
    verbose_name = _("Leads")

    def ready(self) -> None:
        """Give every new tenant its default pipeline; find system checks and timeline words."""
        from leads import checks  # noqa: F401
        from leads.services import create_pipeline_of_new_tenant
        from salesflow.accounts.models import Tenant

        post_save.connect(
            create_pipeline_of_new_tenant, sender=Tenant, dispatch_uid="leads.default_pipeline"
        )
        autodiscover_modules("timeline")
