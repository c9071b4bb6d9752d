"""What happens after something happened to a lead."""

from django.conf import settings

from events import EventType, register_event_handler
from events.models import Event
from leads.mention_mails import mail_mention
from leads.payloads import ColleagueMentioned


@register_event_handler(EventType.COLLEAGUE_MENTIONED, effects="external", timeout=30)
def mail_colleague(event: Event) -> None:
    """Mail the note to the colleague whom it mentions; nobody where no mail server is set."""
    mentioned = event.data
    assert isinstance(mentioned, ColleagueMentioned)
    if settings.EMAIL_URL:
        mail_mention(mentioned.mention_id, event.id)
