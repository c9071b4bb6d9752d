"""What the scheduler sends to workers, and what they do then."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from channels import tasks
from channels.models import Account, Conversation, Inbound, Pace
from channels.receiving import KEPT, store_inbound
from salesflow.accounts.context import tenant_context
from salesflow.celery import app
from tests.channels.factories import make_message
from tests.factories import make_tenant


def test_everything_on_the_schedule_is_a_task() -> None:
    app.loader.import_default_modules()
    named = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert named <= set(app.tasks)
    assert {name for name in app.tasks if name.startswith("channels.tasks.")} - named == {
        # Sent by another task, for each mailbox.
        "channels.tasks.poll_mailbox"
    }


@pytest.mark.usefixtures("tenant")
def test_snoozed_conversations_of_all_tenants_are_woken() -> None:
    late = timezone.now() - timedelta(seconds=1)
    make_message()
    with tenant_context(make_tenant()):
        make_message()
    Conversation.unscoped.update(state=Conversation.State.SNOOZED, snoozed_until=late)
    tasks.wake_conversations()
    assert {each.state for each in Conversation.unscoped.all()} == {Conversation.State.OPEN}


@pytest.mark.usefixtures("tenant")
def test_what_nobody_needs_any_more_is_deleted() -> None:
    now = timezone.now()
    Pace.objects.create(key="old", next_at=now - timedelta(hours=2))
    Pace.objects.create(key="new", next_at=now)
    [old, _new] = [store_inbound(Account.objects.all()[0], body) for body in (b"old", b"new")]
    assert old
    Inbound.objects.filter(pk=old.pk).update(received_at=now - KEPT - timedelta(seconds=1))
    tasks.forget_places()
    tasks.prune_inbounds()
    assert [each.key for each in Pace.objects.all()] == ["new"]
    assert [bytes(each.body) for each in Inbound.objects.all()] == [b"new"]


@pytest.mark.usefixtures("tenant")
def test_without_mailboxes_there_is_nothing_to_poll() -> None:
    tasks.poll_mailboxes()
