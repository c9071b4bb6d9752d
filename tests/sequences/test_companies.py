"""Who of a company has written lately."""

from copy import copy
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from channels.models import Message
from channels.sequences.companies import WRITTEN, words_of_companies
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_tenant


def test_people_are_named_by_their_company_and_programs_are_not(tenant: Tenant) -> None:
    ada, bob, program, free = (
        make_reachable_lead(email=email)
        for email in ("a@x.example", "b@mail.x.example", "c@x.example", "d@gmail.com")
    )
    for lead in (ada, bob, free):
        make_inbound_message(lead)
    make_inbound_message(program, automatic="out_of_office")
    make_message(program)
    words = words_of_companies(timezone.now() - timedelta(minutes=10))
    assert {key: {word.lead_id for word in found} for key, found in words.items()} == {
        "x.example": {ada.pk, bob.pk}
    }
    assert not words_of_companies(timezone.now())
    with tenant_context(make_tenant()):
        assert not words_of_companies(timezone.now() - timedelta(minutes=10))


def test_only_what_people_have_just_written_is_read(tenant: Tenant) -> None:
    """With so many messages that no other way is as short."""
    now = timezone.now()
    for made, count, at in (
        (make_inbound_message(), 2000, now - timedelta(days=1)),
        (make_message(), 500, now),
    ):
        made.stored_at = at
        Message.objects.bulk_create(_again(made) for _ in range(count))
    values: dict[str, Any] = {"tenant": tenant.pk, "since": now - timedelta(minutes=10)}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE channels_message")
        cursor.execute(f"EXPLAIN {WRITTEN}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "message_came_in" in plan, plan


def _again(message: Message) -> Message:
    """The same once more."""
    found = copy(message)
    found.pk, found.vendor_id = uuid7(), ""
    return found
