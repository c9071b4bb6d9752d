"""Mails as they were formatted, within a page."""

from typing import Any

from django import template

from channels.cleaning import has_remote_images
from channels.models import Channel, Message

register = template.Library()


@register.inclusion_tag("channels/mail/_frame.html")
def mail_frame(message: Message) -> dict[str, Any]:
    """The frame in which a mail's HTML is shown; nothing for messages without any."""
    is_shown = bool(message.html) and message.channel == Channel.EMAIL
    return {
        "message": message if is_shown else None,
        "has_images": is_shown and has_remote_images(message.html),
    }
