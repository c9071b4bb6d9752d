"""Files that came without their data: fetched from their vendor after their message was kept."""

from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from channels.faults import TransportBroke
from channels.models import Account, Attachment, AttachmentContent
from channels.transports import TransportError, transport_named
from channels.transports.facts import File
from events import Retry

log = structlog.get_logger(__name__)


def fetch(message_id: UUID) -> None:
    """Fetch what still waits on a message; what is there stays.

    Raises:
        Retry, TransportError, TransportBroke: a file cannot be had now.
    """
    rows = Attachment.objects.select_related("message__account")
    for attachment in rows.filter(message=message_id, status=Attachment.Status.WAITING):
        _fetch_one(attachment, attachment.message.account)


def _fetch_one(attachment: Attachment, account: Account | None) -> None:
    if account is None:
        _refuse(attachment, _("The account through which it came is not there any more."))
        return
    try:
        file = transport_named(account.transport).fetch_file(account, attachment.vendor_id)
    except TransportError as error:
        if error.permanent:
            _refuse(attachment, str(error.reason))
            return
        if error.retry_after is not None:
            raise Retry(error.retry_after, error.reason) from None
        raise error from None
    except Exception as fault:  # a transport may raise anything
        raise TransportBroke.of(fault) from None
    if file.data is None:
        _refuse(attachment, file.reason)
    else:
        _store(attachment, file, file.data)


@transaction.atomic
def _store(attachment: Attachment, file: File, data: bytes) -> None:
    # Another worker may have been as fast.
    rows = Attachment.objects.select_for_update()
    if not rows.filter(pk=attachment.pk, status=Attachment.Status.WAITING).exists():
        return
    AttachmentContent.objects.create(attachment=attachment, data=data)
    attachment.status, attachment.size = Attachment.Status.STORED, len(data)
    attachment.content_type = file.content_type or attachment.content_type
    attachment.save(update_fields=["status", "size", "content_type"])
    attachment.message.conversation.save(update_fields=["changed_at"])


def _refuse(attachment: Attachment, reason: str) -> None:
    attachment.status, attachment.reason = Attachment.Status.REFUSED, reason
    attachment.save(update_fields=["status", "reason"])
    log.info("file_refused", attachment=str(attachment.pk), reason=reason)
