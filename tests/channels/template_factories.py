"""Makers of templates."""

from typing import Any

from channels.models import MessageTemplate
from channels.services.templates import save_template


def make_template(**fields: Any) -> MessageTemplate:
    """A template for every channel, in English."""
    given = {"name": "Hello", "language": "en", "body": "Hello {{ first_name }}", **fields}
    return save_template(MessageTemplate(), **given)


def make_approved(**fields: Any) -> MessageTemplate:
    """A template that WhatsApp has approved."""
    vendor = {"vendor_name": "hello", "vendor_language": "en_US", "vendor_status": "approved"}
    return make_template(**{"channel": "whatsapp", **vendor, **fields})
