"""Files that people send: named by the webhook, fetched afterwards."""

from collections.abc import Callable

import pytest

from channels.fetching import fetch
from channels.models import Account, Attachment, AttachmentContent, Message
from channels.transports import TransportError
from channels.transports.whatsapp.transport import LARGEST_FILE
from events.models import Event
from tests.channels.whatsapp import calls
from tests.channels.whatsapp.emulator import Emulator, File
from tests.channels.whatsapp.factories import take_in_call

MEDIA_ID = "1003383421387256"
PICTURE = b"\xff\xd8\xff\xe0 a picture"

pytestmark = pytest.mark.usefixtures("tenant")


def receive_picture(account: Account) -> Attachment:
    image = {"id": MEDIA_ID, "mime_type": "image/jpeg", "caption": "Look"}
    take_in_call(account, calls.messages_call(calls.message("image", image)))
    attachment: Attachment = Attachment.objects.get()
    return attachment


def fetched(attachment: Attachment) -> Attachment:
    fetch(attachment.message_id)
    attachment.refresh_from_db()
    return attachment


def test_file_is_fetched_and_kept(emulator: Emulator, account: Account) -> None:
    emulator.files[MEDIA_ID] = File(PICTURE)
    attachment = receive_picture(account)
    assert (attachment.status, attachment.message.body) == ("waiting", "Look")
    attachment = fetched(attachment)
    assert (attachment.status, attachment.size) == ("stored", len(PICTURE))
    assert bytes(attachment.content.data) == PICTURE
    asked = len(emulator.calls)
    fetch(attachment.message_id)
    assert len(emulator.calls) == asked


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (File(PICTURE, size=LARGEST_FILE + 1), "larger"),
        (File(b"x" * (LARGEST_FILE + 1), size=5, sha256="00"), "larger"),
        (File(PICTURE, url="https://example.com/steal"), "does not lie at WhatsApp"),
        (File(PICTURE, url="http://lookaside.fbsbx.com/a"), "does not lie at WhatsApp"),
        (File(PICTURE, url="https://fbsbx.com.example.com/a"), "does not lie at WhatsApp"),
        (File(PICTURE, url="https://lookaside.fbsbx.com@example.com/a"), "does not lie"),
        (File(PICTURE, url="file:///etc/passwd"), "does not lie at WhatsApp"),
    ],
)
def test_file_that_must_not_be_taken_is_refused_with_its_reason(
    emulator: Emulator, account: Account, file: File, why: str
) -> None:
    emulator.files[MEDIA_ID] = file
    attachment = fetched(receive_picture(account))
    assert attachment.status == "refused"
    assert why in attachment.reason
    assert not AttachmentContent.objects.exists()


def test_file_that_is_gone_is_refused(emulator: Emulator, account: Account) -> None:
    attachment = fetched(receive_picture(account))
    assert attachment.status == "refused"
    assert "does not exist" in attachment.reason


def test_file_that_arrived_otherwise_is_fetched_again(emulator: Emulator, account: Account) -> None:
    emulator.files[MEDIA_ID] = File(PICTURE, sha256="0" * 64)
    attachment = receive_picture(account)
    with pytest.raises(TransportError):
        fetch(attachment.message_id)
    emulator.files[MEDIA_ID] = File(PICTURE)
    assert fetched(attachment).status == "stored"


def test_server_that_is_down_is_asked_again(emulator: Emulator, account: Account) -> None:
    emulator.files[MEDIA_ID] = File(PICTURE)
    attachment = receive_picture(account)
    emulator.say(502, b"<html>Bad gateway</html>")
    with pytest.raises(TransportError):
        fetch(attachment.message_id)
    emulator.refuse(131000, 500)
    with pytest.raises(TransportError):
        fetch(attachment.message_id)
    assert fetched(attachment).status == "stored"


@pytest.mark.usefixtures("transactional_db")
def test_engine_fetches_what_a_call_named(
    emulator: Emulator, account: Account, settle_events: Callable[[], int]
) -> None:
    emulator.files[MEDIA_ID] = File(PICTURE)
    receive_picture(account)
    settle_events()
    assert Attachment.objects.get().status == "stored"
    assert Message.objects.get().attachments.count() == 1
    assert Event.objects.get(type="files.announced").status == "processed"


def test_only_messages_with_files_cost_a_call(account: Account) -> None:
    take_in_call(account, calls.messages_call(calls.text("Hello")))
    assert not Event.objects.filter(type="files.announced").exists()
