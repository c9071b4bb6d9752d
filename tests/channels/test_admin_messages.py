"""Messages in the admin: read there, never edited, each tenant's own."""

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from channels.models import Message
from channels.services import record_status
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.factories import make_tenant
from tests.staff import client_of, make_staff, make_superuser

LIST = "/admin/channels/message/"


def page_of(message: Message) -> str:
    return reverse("admin:channels_message_change", args=[message.pk])


def test_list_filters_what_has_not_gone_out(tenant: Tenant) -> None:
    failed, sent = make_message(), make_message()
    record_status(failed.id, "failed", reason="no such mailbox")
    record_status(sent.id, "sent")
    client = client_of(make_superuser())
    everything = client.get(LIST).content.decode()
    trouble = client.get(LIST, {"status": "failed"}).content.decode()
    assert page_of(failed) in everything
    assert page_of(sent) in everything
    assert page_of(failed) in trouble
    assert page_of(sent) not in trouble
    assert "no such mailbox" in trouble


def test_list_takes_the_same_queries_whatever_its_length(
    tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_inbound_message(make_message().lead)
    client = client_of(make_superuser())
    with django_assert_max_num_queries(8):
        assert client.get(LIST).status_code == 200


def test_search_finds_a_message_and_those_of_a_lead(tenant: Tenant) -> None:
    message, other = make_message(), make_message()
    client = client_of(make_superuser())
    for term in (message.pk, message.lead_id):
        found = client.get(LIST, {"q": str(term)}).content.decode()
        assert page_of(message) in found
        assert page_of(other) not in found
    assert page_of(message) not in client.get(LIST, {"q": "Hello"}).content.decode()


def test_page_shows_the_message_and_offers_no_change(tenant: Tenant) -> None:
    message = make_message(make_reachable_lead("ada@example.com"), body="How are you?")
    client = client_of(make_superuser())
    page = client.get(page_of(message)).content.decode()
    assert "ada@example.com" in page
    assert "How are you?" in page
    assert 'name="_save"' not in page
    assert client.post(page_of(message), {"body": "changed"}).status_code == 403


@pytest.mark.parametrize("permission", [[], ["view_message"]])
def test_staff_see_messages_of_their_tenants_alone(tenant: Tenant, permission: list[str]) -> None:
    own = make_message()
    with tenant_context(make_tenant()):
        foreign = make_message()
    client = client_of(make_staff(tenant, may=permission))
    listed = client.get(LIST)
    if permission:
        assert page_of(own) in listed.content.decode()
        assert page_of(foreign) not in listed.content.decode()
        assert client.get(page_of(own)).status_code == 200
        assert client.get(page_of(foreign)).status_code in {302, 404}
    else:
        assert listed.status_code == 403
