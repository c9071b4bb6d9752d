"""Keeping templates, and sending them filled in."""

import re
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from channels.models import Account, Channel, Message, MessageTemplate, MessageType
from channels.services.messages import send_message
from channels.templating import Filled, Malformed, fill, variables_of
from channels.transports import File
from channels.variables import is_known, names_in_words, values_for
from leads.models import Lead
from leads.services import lock_lead
from salesflow.accounts.models import User

VendorStatus = MessageTemplate.VendorStatus
SHORTCUT = re.compile(r"[a-z0-9_-]{1,30}")
# Source: WhatsApp Business Management API, message templates, "name" and "language".
VENDOR_NAME = re.compile(r"[a-z0-9_]{1,512}")
VENDOR_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")


class TemplateFields(TypedDict, total=False):
    """What a template holds; see `MessageTemplate`."""

    name: str
    shortcut: str
    channel: str
    language: str
    subject: str
    body: str
    vendor_name: str
    vendor_language: str
    vendor_status: str
    is_active: bool


class SendOptions(TypedDict, total=False):
    """See `channels.services.messages.SendOptions`."""

    author: User | None
    account: Account | None
    purpose: str
    cc: Sequence[str]
    files: Sequence[File]


def save_template(template: MessageTemplate, **fields: Unpack[TemplateFields]) -> MessageTemplate:
    """Write a template, a new one or a known one.

    A text that is not the one any more that its vendor has approved waits for approval again.

    Raises:
        ValidationError: by the name of the field.
    """
    before = (template.body, template.vendor_name, template.vendor_language, template.vendor_status)
    for name, value in fields.items():
        setattr(template, name, value.strip() if isinstance(value, str) else value)
    template.shortcut = template.shortcut.lower().removeprefix("/")
    _refuse_wrong(template)
    after = (template.body, template.vendor_name, template.vendor_language, template.vendor_status)
    if not template.vendor_name:
        template.vendor_status = VendorStatus.NONE
    elif not template.vendor_status or (before[:3] != after[:3] and before[3] == after[3]):
        template.vendor_status = VendorStatus.PENDING
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError:
        # Somebody else has saved the same one at this moment.
        raise ValidationError({"name": _taken()}) from None
    return template


def delete_template(template: MessageTemplate) -> None:
    """Delete a template; what was sent with it stays as it was sent."""
    template.delete()


def fill_template(
    template: MessageTemplate, lead: Lead, author: User | None = None
) -> tuple[Filled, Filled]:
    """Subject and text as they read for a lead, with what is missing.

    Raises:
        ValidationError: under "template": it cannot be read.
    """
    values = values_for(lead, author)
    try:
        return fill(template.subject, values), fill(template.body, values)
    except Malformed as error:
        raise ValidationError({"template": error.reason}) from None


@transaction.atomic
def send_template(
    lead: Lead,
    template: MessageTemplate,
    *,
    channel: str = "",
    to_address: str = "",
    **options: Unpack[SendOptions],
) -> Message:
    """Queue a template, filled in for a lead.

    One that a vendor has approved goes out as that (`MessageType.TEMPLATE`), with `details` of its
    name, its language code, and the values in the order of its variables; any other one as a text.

    Args:
        channel: for a template that serves every channel.
        to_address, options: see `send_message`.

    Raises:
        ValidationError: under "template": it is not active or not approved, or a variable is
            missing, which is named (code "missing_variable"); else as `send_message`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    channel = _channel_of(template, channel)
    _refuse_unusable(template)
    lead = lock_lead(lead)
    subject, body = fill_template(template, lead, options.get("author"))
    if channel != Channel.EMAIL:
        # A text for every channel may have one, for those that show it.
        subject = Filled((), ())
    refuse_missing(template, subject, body)
    return send_message(
        lead,
        channel=channel,
        body=body.text,
        subject=subject.text,
        to_address=to_address,
        template=template,
        **options,
        **_vendor_options(template, body),
    )


def refuse_missing(template: MessageTemplate, subject: Filled, body: Filled) -> None:
    """Raise ValidationError under "template" that names what nobody knows."""
    missing = dict.fromkeys((*subject.missing, *body.missing))
    if template.vendor_name:
        # Vendors refuse a template with an empty variable.
        names = [variable.name for variable in variables_of(template.body)]
        pairs = zip(names, body.values, strict=True)
        missing |= dict.fromkeys(name for name, value in pairs if not value)
    if not missing:
        return
    reason = _("Nothing is known for %(names)s: fill that in, or give the template a fallback.")
    told = {"names": names_in_words(missing)}
    raise ValidationError({"template": ValidationError(reason % told, "missing_variable")})


def _channel_of(template: MessageTemplate, wanted: str) -> str:
    if template.channel and wanted not in ("", template.channel):
        reason = _("This template is for %(channel)s.")
        label = Channel(template.channel).label
        raise ValidationError({"template": reason % {"channel": label}})
    return template.channel or wanted


def _refuse_unusable(template: MessageTemplate) -> None:
    if not template.is_active:
        raise ValidationError({"template": _("This template is not in use any more.")})
    if template.vendor_name and template.vendor_status != VendorStatus.APPROVED:
        reason = _("This template may not be sent yet: %(status)s.")
        told = template.get_vendor_status_display()
        raise ValidationError({"template": reason % {"status": told}})


def _vendor_options(template: MessageTemplate, body: Filled) -> dict[str, Any]:
    if not template.vendor_name:
        return {}
    details = {
        "name": template.vendor_name,
        "language": template.vendor_language,
        "variables": list(body.values),
    }
    return {"message_type": MessageType.TEMPLATE, "details": details}


def _refuse_wrong(template: MessageTemplate) -> None:
    errors = {
        **_wrong_fields(template),
        **_wrong_text("subject", template.subject),
        **_wrong_text("body", template.body),
        **_wrong_vendor(template),
    }
    errors = errors or _taken_names(template)
    if errors:
        raise ValidationError(errors)


def _wrong_fields(template: MessageTemplate) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    try:
        template.clean_fields(exclude=["tenant"])
    except ValidationError as error:
        errors = dict(error.error_dict)
    if template.shortcut and not SHORTCUT.fullmatch(template.shortcut):
        errors["shortcut"] = _("A shortcut has letters, digits, hyphens and underscores alone.")
    if template.subject and template.channel not in ("", Channel.EMAIL):
        errors["subject"] = _("Only e-mails have a subject.")
    elif len(template.subject.splitlines()) > 1:
        errors["subject"] = _("A subject is one line.")
    return errors


def _wrong_text(name: str, text: str) -> dict[str, Any]:
    try:
        unknown = [each.name for each in variables_of(text) if not is_known(each.name)]
    except Malformed as error:
        return {name: error.reason}
    if not unknown:
        return {}
    reason = _("There is no variable %(names)s.")
    return {name: reason % {"names": names_in_words(unknown)}}


def _wrong_vendor(template: MessageTemplate) -> dict[str, Any]:
    if not template.vendor_name:
        return {}
    if template.channel != Channel.WHATSAPP:
        return {"vendor_name": _("Only templates for WhatsApp are approved by a vendor.")}
    errors = {}
    if not VENDOR_NAME.fullmatch(template.vendor_name):
        errors["vendor_name"] = _("It has small letters, digits and underscores alone.")
    if not VENDOR_LANGUAGE.fullmatch(template.vendor_language):
        errors["vendor_language"] = _("It looks like “en” or “en_US”.")
    return errors


def _taken_names(template: MessageTemplate) -> dict[str, Any]:
    others = MessageTemplate.objects.exclude(pk=template.pk).filter(
        channel=template.channel, language=template.language
    )
    if others.filter(name=template.name).exists():
        return {"name": _taken()}
    if template.shortcut and others.filter(shortcut=template.shortcut).exists():
        return {"shortcut": _("Another template has this shortcut.")}
    return {}


def _taken() -> str:
    return _("There is a template of this name for the channel and the language.")
