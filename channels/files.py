"""Files that go out with a message: how much is taken, how they are kept, what a transport gets."""

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.file_types import UNKNOWN
from channels.models import Attachment, AttachmentContent, Channel, Message
from channels.transports import Transport, transport_named
from channels.transports.facts import File

CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
LONGEST_NAME = 255
# What a mail's parts may not be in Base64 (RFC 2046, 5.2.1), or not by themselves.
STRUCTURED = ("message/", "multipart/")
NO_FILES = gettext_lazy("Files can be sent by e-mail alone.")


@dataclass(frozen=True)
class FileLimits:
    """How much may go with one message: how many files, and bytes of each and of all together."""

    most: int
    each: int
    together: int


def file_limits() -> FileLimits:
    """What the settings say."""
    return FileLimits(
        most=settings.MAIL_FILES_MOST,
        each=settings.MAIL_FILE_BYTES,
        together=settings.MAIL_FILES_BYTES,
    )


def complaints_about(files: Sequence[tuple[str, int]]) -> list[str]:
    """Why files may not go with one message, each named; nothing where they may.

    Args:
        files: the name and the size in bytes of each.
    """
    limits = file_limits()
    if len(files) > limits.most:
        reason = _("%(count)d files are too many: up to %(most)d go with a message.")
        return [reason % {"count": len(files), "most": limits.most}]
    empty = _("“%(name)s” is empty.")
    found = [empty % {"name": name} for name, size in files if not size]
    large = _("“%(name)s” has %(size)s: a file may have up to %(most)s.")
    found += [
        large % {"name": name, "size": filesizeformat(size), "most": filesizeformat(limits.each)}
        for name, size in files
        if size > limits.each
    ]
    total = sum(size for _name, size in files)
    if not found and total > limits.together:
        reason = _("Together they have %(size)s (%(names)s): up to %(most)s go with a message.")
        names = ", ".join(f"“{name}”" for name, _size in files)
        sizes = {"size": filesizeformat(total), "most": filesizeformat(limits.together)}
        found.append(reason % {"names": names, **sizes})
    return found


def refuse_files(files: Sequence[File], channel: str, transport: Transport | None) -> None:
    """Raise ValidationError under "files" where they may not go that way, or are too much."""
    if not files:
        return
    if channel != Channel.EMAIL or transport is None or not transport.carries_files:
        raise ValidationError({"files": NO_FILES})
    if wrong := complaints_about([(file.name, len(file.data or b"")) for file in files]):
        raise ValidationError({"files": wrong})


def attach_files(message: Message, files: Sequence[File]) -> None:
    """Keep files with an outgoing message, in the transaction that writes it.

    Raises:
        ValidationError: under "files": its account carries none, or they are too large or too many.
    """
    if not files:
        return
    transport = transport_named(message.account.transport) if message.account else None
    refuse_files(files, message.channel, transport)
    rows = [
        Attachment(
            message=message,
            name=name,
            content_type=_type_called(name),
            size=len(file.data or b""),
            status=Attachment.Status.STORED,
        )
        for file in files
        for name in [_plain_name(file.name)]
    ]
    Attachment.objects.bulk_create(rows)
    AttachmentContent.objects.bulk_create(
        AttachmentContent(attachment=row, data=file.data)
        for row, file in zip(rows, files, strict=True)
    )


def files_of(message: Message) -> tuple[File, ...]:
    """The files that go out with a message, with their data; by e-mail alone."""
    if message.channel != Channel.EMAIL:
        return ()
    rows = AttachmentContent.objects.filter(attachment__message=message)
    return tuple(
        File(
            name=row.attachment.name,
            content_type=row.attachment.content_type,
            data=bytes(row.data),
            size=row.attachment.size,
        )
        for row in rows.select_related("attachment").order_by("attachment_id")
    )


def _plain_name(name: str) -> str:
    """A name such as can stand in a header, without a path; its ending is kept."""
    plain = " ".join(CONTROL.sub(" ", name).split()).replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = (plain or _("File")).rpartition(".")
    if not dot or len(ending) > 10:
        return plain[:LONGEST_NAME] or _("File")
    return f"{stem[: LONGEST_NAME - 1 - len(ending)]}.{ending}"


def _type_called(name: str) -> str:
    """The content type that the ending of a name tells."""
    kind, encoding = mimetypes.guess_type(name)
    if kind is None or encoding or kind.startswith(STRUCTURED):
        return UNKNOWN
    return kind
