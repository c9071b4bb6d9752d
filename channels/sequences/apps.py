"""Configuration of the sequences app."""

from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class SequencesConfig(AppConfig):
    """Steps that reach out to leads, and who is on which of them."""

    name = "channels.sequences"
    label = "sequences"
    verbose_name = _("Sequences")

    def ready(self) -> None:
        """Give every new tenant its default calendar; find system checks."""
        from channels.sequences import checks  # noqa: F401
        from channels.sequences.work_calendars import create_calendar_of_new_tenant
        from salesflow.accounts.models import Tenant

        post_save.connect(
            create_calendar_of_new_tenant, sender=Tenant, dispatch_uid="sequences.first_calendar"
        )
