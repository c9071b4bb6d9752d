"""Messages as the Cloud API wants them.

What each type finds in `Outgoing.details`:

- text: nothing.
- template: `name`, `language`, `variables` (a list, or a dict by name), and `header` and `buttons`
  as needed; the text is what it reads like.
- media: `kind` (image, video or document), `link` (https), `filename` of a document; the text is
  the caption.
- interactive: up to three `buttons` of `{"id", "title"}`, `header`, `footer`; the text is the
  question.

A template's `header` is `{"kind": "text", "variables": […]}` or `{"kind": "image", "link": …}`; its
`buttons` are `{"kind": "quick_reply", "payload": …}` or `{"kind": "url", "text": …}`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.models import MessageType
from channels.transports.interface import Outgoing, TransportError

# Source: Cloud API reference, messages: interactive.body.text, action.buttons, reply.title.
LONGEST_QUESTION, MOST_BUTTONS, LONGEST_TITLE, LONGEST_BUTTON_ID = 1024, 3, 20, 256
# Source: Cloud API reference, messages: image.caption and its like.
LONGEST_CAPTION = 1024
MEDIA_KINDS = ("image", "video", "document")

Part = dict[str, Any]


def body_of(outgoing: Outgoing) -> Part:
    """What is posted for a message.

    Raises:
        TransportError: permanent, where its details are not what its type needs.
    """
    build = BUILDERS.get(outgoing.message_type)
    if build is None:
        raise _wrong(_("WhatsApp cannot carry this kind of message."))
    try:
        content = build(outgoing)
    except (AttributeError, LookupError, TypeError, ValueError):
        # Whatever an API's caller put there: nothing has left the house.
        raise _wrong(
            _("What this kind of message needs is missing, or is of another kind.")
        ) from None
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_recipient(outgoing.address),
        # Comes back in every report on the message.
        "biz_opaque_callback_data": f"{outgoing.message_id}.{outgoing.attempt}",
        **({"context": {"message_id": outgoing.answers}} if outgoing.answers else {}),
        **content,
    }


def _recipient(address: str) -> Part:
    """A number, or Meta's id of somebody whose number is hidden."""
    if address.startswith("+"):
        return {"to": address.removeprefix("+")}
    return {"recipient": address}


def _text(outgoing: Outgoing) -> Part:
    has_link = "https://" in outgoing.body or "http://" in outgoing.body
    return {"type": "text", "text": {"body": outgoing.body, "preview_url": has_link}}


def _template(outgoing: Outgoing) -> Part:
    details = outgoing.details
    name, language = _words(details, "name"), _words(details, "language")
    if not name or not language:
        raise _wrong(_("The template's name or language is missing."))
    components = [
        *_header(details.get("header")),
        *_variables("body", details.get("variables", ())),
        *_template_buttons(details.get("buttons", ())),
    ]
    template = {"name": name, "language": {"code": language}, "components": components}
    return {"type": "template", "template": template}


def _header(header: Any) -> list[Part]:
    if not header:
        return []
    kind = _words(header, "kind")
    if kind == "text":
        return _variables("header", header.get("variables", ()))
    medium = {"type": kind, kind: {"link": _link(header)}}
    return [{"type": "header", "parameters": [medium]}]


def _variables(where: str, given: Sequence[str] | Mapping[str, str]) -> list[Part]:
    """The component of numbered variables, or of named ones."""
    if isinstance(given, Mapping):
        texts = [
            {"type": "text", "parameter_name": name, "text": str(value)}
            for name, value in given.items()
        ]
    else:
        texts = [{"type": "text", "text": str(value)} for value in given]
    return [{"type": where, "parameters": texts}] if texts else []


def _template_buttons(buttons: Sequence[Mapping[str, str]]) -> list[Part]:
    return [
        {
            "type": "button",
            "sub_type": button["kind"],
            "index": str(index),
            "parameters": [_button_parameter(button)],
        }
        for index, button in enumerate(buttons)
    ]


def _button_parameter(button: Mapping[str, str]) -> Part:
    if button["kind"] == "quick_reply":
        return {"type": "payload", "payload": button["payload"]}
    return {"type": "text", "text": button["text"]}


def _media(outgoing: Outgoing) -> Part:
    kind = _words(outgoing.details, "kind")
    if kind not in MEDIA_KINDS:
        raise _wrong(_("WhatsApp takes images, videos and documents."))
    if len(outgoing.body) > LONGEST_CAPTION:
        raise _wrong(_("The text beside a file holds up to 1024 characters."))
    medium = {"link": _link(outgoing.details), "caption": outgoing.body}
    if kind == "document" and (name := _words(outgoing.details, "filename")):
        medium["filename"] = name
    return {"type": kind, kind: medium}


def _interactive(outgoing: Outgoing) -> Part:
    if len(outgoing.body) > LONGEST_QUESTION:
        raise _wrong(_("The text above buttons holds up to 1024 characters."))
    question: Part = {
        "type": "button",
        "body": {"text": outgoing.body},
        "action": {"buttons": _reply_buttons(outgoing.details.get("buttons", ()))},
    }
    if header := _words(outgoing.details, "header"):
        question["header"] = {"type": "text", "text": header}
    if footer := _words(outgoing.details, "footer"):
        question["footer"] = {"text": footer}
    return {"type": "interactive", "interactive": question}


def _reply_buttons(buttons: Sequence[Mapping[str, str]]) -> list[Part]:
    if not 1 <= len(buttons) <= MOST_BUTTONS:
        raise _wrong(_("A message has one to three buttons."))
    titles = [_words(button, "title") for button in buttons]
    if not all(1 <= len(title) <= LONGEST_TITLE for title in titles):
        raise _wrong(_("A button's words are 1 to 20 characters."))
    ids = [_words(button, "id") or title for button, title in zip(buttons, titles, strict=True)]
    if len(set(ids)) < len(ids) or max(map(len, ids)) > LONGEST_BUTTON_ID:
        raise _wrong(_("Each button needs an id of its own, up to 256 characters."))
    return [
        {"type": "reply", "reply": {"id": each, "title": title}}
        for each, title in zip(ids, titles, strict=True)
    ]


def _link(details: Mapping[str, Any]) -> str:
    link = _words(details, "link")
    if not link.startswith("https://"):
        raise _wrong(_("WhatsApp fetches files from an address that begins with https:// alone."))
    return link


def _words(details: Mapping[str, Any], name: str) -> str:
    value = details.get(name, "")
    return value if isinstance(value, str) else ""


def _wrong(reason: str | Promise) -> TransportError:
    return TransportError(reason, permanent=True)


BUILDERS: Mapping[str, Callable[[Outgoing], Part]] = {
    MessageType.TEXT: _text,
    MessageType.TEMPLATE: _template,
    MessageType.MEDIA: _media,
    MessageType.INTERACTIVE: _interactive,
}
