"""WhatsApp, through Meta's Cloud API.

Source of all that is said here about it: WhatsApp Business Platform, Cloud API reference (messages,
media, webhooks, error codes), Graph API v26.0.
"""

from channels.transports.whatsapp.transport import WhatsAppSettings, WhatsAppTransport

__all__ = ["WhatsAppSettings", "WhatsAppTransport"]
