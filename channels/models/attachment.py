"""What hangs on a message. The bytes lie in a table of their own: no list reads them by accident,
and they come and go in the transaction of their message."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from channels.models.message import Message
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import TenantScoped


class Attachment(TenantScoped):
    """A file of a message."""

    class Status(models.TextChoices):
        STORED = "stored", _("stored")
        WAITING = "waiting", _("not fetched yet")
        REFUSED = "refused", _("not taken in")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="attachments", verbose_name=_("message")
    )
    name = models.CharField(_("name"), max_length=255)
    content_type = models.CharField(_("type"), max_length=127)
    size = models.PositiveIntegerField(_("bytes"))
    content_id = models.CharField(
        _("content id"), max_length=255, blank=True, help_text=_("By which a mail's text shows it.")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.STORED
    )
    reason = models.TextField(_("why it was not taken in"), blank=True)
    vendor_id = models.CharField(_("vendor's id"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class AttachmentContent(models.Model):
    """The bytes of a stored attachment."""

    attachment = models.OneToOneField(
        Attachment, on_delete=models.CASCADE, primary_key=True, related_name="content"
    )
    data = models.BinaryField()

    objects = models.Manager()

    def __str__(self) -> str:
        return str(self.attachment_id)
