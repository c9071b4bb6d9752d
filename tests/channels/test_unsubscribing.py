"""The address by which people opt out with one click, as mail programs and people use it."""

import json
from base64 import urlsafe_b64decode
from urllib.parse import urlsplit

import pytest
from django.test import Client

from channels.models import ConsentRecord, Message
from channels.services.consent import opt_in, standing_of
from channels.unsubscribing import unsubscribe_url
from events.models import Event
from salesflow.accounts.context import tenant_context
from salesflow.accounts.encryption import encrypt
from tests.channels.factories import make_message, make_reachable_lead
from tests.factories import make_tenant

ADDRESS = "ada@example.com"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}

pytestmark = pytest.mark.usefixtures("tenant")


@pytest.fixture
def world() -> Client:
    """Nobody who is logged in, and no cookies."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def campaign() -> Message:
    lead = make_reachable_lead(ADDRESS)
    opt_in(lead, channel="email", address=ADDRESS, basis="consent", source="import")
    return make_message(lead, purpose="marketing")


def path_of(message: Message) -> str:
    return urlsplit(unsubscribe_url(message)).path


def is_out() -> bool:
    standing = standing_of("email", ADDRESS)
    return bool(standing and standing.opted_out_at)


def test_link_scanner_opts_nobody_out(world: Client, campaign: Message) -> None:
    page = world.get(path_of(campaign))
    assert page.status_code == 200
    assert ADDRESS in page.content.decode()
    assert not is_out()


def test_one_click_opts_out_with_its_proof(world: Client, campaign: Message) -> None:
    for _time in range(2):
        assert world.post(path_of(campaign), ONE_CLICK).status_code == 200
    assert is_out()
    record = ConsentRecord.objects.filter(decision="withdrawn").latest("id")
    assert (record.source, record.lead) == ("unsubscribe_link", campaign.lead)
    assert (record.proof["message"], record.proof["one_click"]) == (str(campaign.pk), True)
    told = Event.objects.get(type="contact.opted_out")
    assert told.payload["lead_id"] == str(campaign.lead_id)


def test_link_outlives_the_lead(world: Client, campaign: Message) -> None:
    path = path_of(campaign)
    campaign.lead.delete()
    assert world.post(path, ONE_CLICK).status_code == 200
    assert is_out()


def test_link_is_about_the_lead_who_has_the_address_now(world: Client, campaign: Message) -> None:
    path = path_of(campaign)
    campaign.lead.delete()
    again = make_reachable_lead(ADDRESS)
    world.post(path, ONE_CLICK)
    told = Event.objects.get(type="contact.opted_out")
    assert told.payload["lead_id"] == str(again.pk)


def test_address_tells_nothing_to_who_reads_it_in_a_log(campaign: Message) -> None:
    token = path_of(campaign).rpartition("/")[2]
    assert ADDRESS not in token
    assert ADDRESS.encode() not in urlsafe_b64decode(token)


def test_link_of_another_team_touches_only_its_own(world: Client, campaign: Message) -> None:
    with tenant_context(make_tenant()):
        theirs = make_message(make_reachable_lead(ADDRESS))
        path = path_of(theirs)
    world.post(path, ONE_CLICK)
    assert not is_out()


@pytest.mark.parametrize(
    "told",
    [b"", b'{"access_token": "x"}', b"[]"],
)
def test_address_that_is_none_of_ours_opens_nothing(world: Client, told: bytes) -> None:
    token = encrypt(told).decode() if told else "gAAAAA=="
    assert world.get(f"/u/{token}").status_code == 404
    assert world.post(f"/u/{token}", ONE_CLICK).status_code == 404
    assert not ConsentRecord.objects.exists()


def test_what_was_encrypted_for_something_else_opens_nothing(
    world: Client, campaign: Message
) -> None:
    ids = [campaign.tenant_id.hex, campaign.pk.hex]
    token = encrypt(json.dumps(["reset", *ids, "email", ADDRESS]).encode()).decode()
    assert world.post(f"/u/{token}", ONE_CLICK).status_code == 404
    assert not is_out()
