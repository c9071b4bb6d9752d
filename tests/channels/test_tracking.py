"""Tracked mails: what they carry, where it leads, and who counts as a person."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from time_machine import travel

from channels.delivering import deliver
from channels.models import (
    AddressStanding,
    Channel,
    LawfulBasis,
    Message,
    Purpose,
    TrackedLink,
    TrackingHit,
)
from channels.services import record_status
from channels.services.consent import opt_in, opt_out
from channels.testing import carried_by
from channels.tracking.hits import MOST_HITS, SETTLED, judge_hits
from channels.tracking.links import MOST_LINKS, SIGNER, pieces_of, target_of, track
from channels.tracking.machines import (
    Asked,
    Reason,
    family_of,
    is_burst,
    network_of,
    reasons_for,
)
from events.models import Event
from salesflow.accounts.models import Tenant
from tests.channels.factories import ScriptedTransport, make_message, make_reachable_lead

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OUTLOOK_PROXY = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/605.1.15 (KHTML, like Gecko) Outlook"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
NOW = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
BODY = "Look: https://example.com/a, or (https://example.com/b_(c)).\nhttps://example.com/a again."


def make_tracked(body: str = BODY, ago: timedelta = timedelta(minutes=1)) -> Message:
    """A marketing mail that went out so long ago and tells of itself."""
    lead = make_reachable_lead()
    opt_in(lead, channel="email", address=lead.emails[0], basis="consent", source="manual")
    message = make_message(lead, body=body, purpose=Purpose.MARKETING, tracks=True)
    return record_status(message.pk, "sent", at=timezone.now() - ago)


def path_of(url: str) -> str:
    return urlsplit(url).path


@pytest.fixture
def world() -> Client:
    """Nobody who is logged in."""
    return Client(headers={"User-Agent": BROWSER})


# --- Telling people from machines ---------------------------------------------------------------


def asked(**fields: Any) -> Asked:
    """A person who asks a minute after the mail was sent."""
    given: dict[str, Any] = {
        "method": "GET",
        "agent": BROWSER,
        "address": "192.0.2.7",
        "at": NOW,
        "sent_at": NOW - timedelta(minutes=1),
        "is_click": True,
    }
    return Asked(**given | fields)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, []),
        ({"method": "HEAD"}, [Reason.HEAD]),
        ({"agent": " "}, [Reason.NO_AGENT]),
        ({"agent": "curl/8.5"}, [Reason.BOT]),
        ({"agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, [Reason.BOT]),
        ({"agent": "Mozilla/5.0 OneOutlook/1.2026"}, [Reason.BOT]),
        ({"agent": "Mozilla/5.0", "is_click": False}, [Reason.PREFETCH]),
        ({"purpose": "prefetch;prerender"}, [Reason.PREFETCH]),
        ({"sent_at": NOW - timedelta(seconds=9)}, [Reason.TOO_SOON]),
        ({"sent_at": NOW - timedelta(seconds=10)}, []),
        ({"sent_at": None}, [Reason.TOO_SOON]),
        ({"address": "40.94.31.1"}, []),
        ({"address": "40.93.31.1"}, [Reason.PROTECTION]),
        ({"address": "104.47.1.1"}, [Reason.PROTECTION]),
        ({"address": "104.47.1.1", "is_click": False, "agent": OUTLOOK_PROXY}, []),
        ({"address": "unix:"}, []),
        ({"agent": GMAIL, "is_click": False}, []),
        ({"method": "HEAD", "agent": ""}, [Reason.HEAD, Reason.NO_AGENT]),
    ],
)
def test_each_sign_of_a_machine_is_told(fields: dict[str, Any], reasons: list[Reason]) -> None:
    assert reasons_for(asked(**fields)) == reasons


def after(*seconds: float) -> list[datetime]:
    return [NOW + timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("clicks", "links", "speaks"),
    [
        ({1: after(0)}, 1, False),
        ({1: after(0, 1, 2)}, 4, False),
        ({1: after(0), 2: after(1)}, 4, False),
        ({1: after(0), 2: after(1)}, 2, True),
        ({1: after(0), 2: after(60)}, 2, False),
        ({1: after(0), 2: after(1), 3: after(-2)}, 9, True),
        ({1: after(0), 2: after(1), 3: after(3.5)}, 9, False),
    ],
)
def test_nobody_follows_many_links_at_once(
    clicks: dict[int, list[datetime]], links: int, speaks: bool
) -> None:
    assert is_burst(NOW, clicks, links) is speaks


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("unix:", ""),
        ("", ""),
    ],
)
def test_little_is_kept_of_where_somebody_is(address: str, network: str) -> None:
    assert network_of(address) == network


def test_little_is_kept_of_the_program() -> None:
    assert [family_of(agent) for agent in (GMAIL, BROWSER, "x" * 500)] == [
        "GoogleImageProxy",
        "Firefox",
        "",
    ]


# --- What a mail carries ------------------------------------------------------------------------


def test_links_end_where_the_sentence_goes_on() -> None:
    links = [piece.text for piece in pieces_of(BODY) if piece.is_link]
    assert links == ["https://example.com/a", "https://example.com/b_(c)", "https://example.com/a"]
    assert "".join(piece.text for piece in pieces_of(BODY)) == BODY
    plain = "mailto:ada@example.com, ftp://example.com and example.com"
    assert not any(piece.is_link for piece in pieces_of(plain))


def test_mail_carries_the_same_at_every_try(tenant: Tenant) -> None:
    message = make_tracked()
    tracks = track(message)
    assert list(tracks.links) == ["https://example.com/a", "https://example.com/b_(c)"]
    assert track(message) == tracks
    assert TrackedLink.objects.count() == 2
    for url in (tracks.pixel_url, *tracks.links.values()):
        assert "example.com" not in path_of(url)


def test_only_so_many_links_are_tracked(tenant: Tenant) -> None:
    urls = [f"https://example.com/{number}" for number in range(MOST_LINKS + 5)]
    tracks = track(make_tracked("\n".join(urls)))
    assert list(tracks.links) == urls[:MOST_LINKS]


def test_link_whose_address_web_servers_would_refuse_is_not_tracked(tenant: Tenant) -> None:
    longest, longer = ["https://example.com/" + "\u6f22" * number for number in (660, 661)]
    links = track(make_tracked(f"{longest} {longer}")).links
    assert list(links) == [longest]
    # Of gunicorn's 4,094, whose line has a method and a version as well.
    assert len(path_of(links[longest])) < 4000


def test_untracked_mail_carries_nothing(tenant: Tenant) -> None:
    message = make_message(body=BODY)
    assert (track(message).pixel_url, dict(track(message).links)) == ("", {})
    assert not TrackedLink.objects.exists()


@pytest.fixture
def carrier(tenant: Tenant) -> Iterator[ScriptedTransport]:
    transport = ScriptedTransport(None)
    with carried_by(transport, Channel.EMAIL):
        yield transport


@pytest.mark.django_db(transaction=True)
def test_transport_is_given_what_the_mail_shall_carry(carrier: ScriptedTransport) -> None:
    lead = make_reachable_lead()
    opt_in(lead, channel="email", address=lead.emails[0], basis="consent", source="manual")
    deliver(make_message(lead, body=BODY, purpose=Purpose.MARKETING, tracks=True).pk)
    deliver(make_message(lead, body=BODY).pk)
    tracked, plain = carrier.calls
    assert len(tracked.links) == 2
    assert tracked.pixel_url.endswith(".gif")
    assert (dict(plain.links), plain.pixel_url) == ({}, "")


# --- Where it leads -----------------------------------------------------------------------------


def test_link_leads_where_the_mail_says_and_tells_that_server_nothing(
    tenant: Tenant, world: Client
) -> None:
    tracks = track(make_tracked())
    for url, address in tracks.links.items():
        response = world.get(path_of(address))
        assert (response.status_code, response.headers["Location"]) == (302, url)
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert not response.cookies


def test_link_with_letters_of_any_language_leads_there(tenant: Tenant, world: Client) -> None:
    [address] = track(make_tracked("https://example.com/größe/日本")).links.values()
    location = world.get(path_of(address)).headers["Location"]
    assert location == "https://example.com/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC"


def test_address_that_is_not_ours_leads_nowhere(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    tracks = track(message)
    address = path_of(next(iter(tracks.links.values())))
    pixel = path_of(tracks.pixel_url)
    opened = pixel.rpartition("/")[2].removesuffix(".gif")
    for token in (
        "nonsense",
        f"{address.rpartition('/')[2]}x",
        address.rpartition("/")[2].replace(".1.", ".2."),
        address.rpartition("/")[2].replace("aHR0c", "aHR1c"),
        f"{message.pk.hex}.1",
        "https://evil.example.com",
        opened,
    ):
        response = world.get(f"/t/c/{token}")
        assert response.status_code == 404, token
        assert "Location" not in response.headers
    assert target_of(opened) == (message.pk, None, "")
    assert not TrackingHit.objects.exists()


def test_image_is_the_same_for_whatever_is_asked(tenant: Tenant, world: Client) -> None:
    tracks = track(make_tracked())
    known, unknown = world.get(path_of(tracks.pixel_url)), world.get("/t/o/nonsense.gif")
    assert known.content == unknown.content
    assert known.content.startswith(b"GIF89a")
    assert known.headers["Content-Type"] == "image/gif"
    assert known.headers["Cache-Control"] == "no-store"
    assert TrackingHit.objects.count() == 1


def test_link_leads_there_for_ever_whatever_was_deleted(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    [(url, address), *_others] = track(message).links.items()
    message.lead.delete()
    response = world.get(path_of(address))
    assert (response.status_code, response.headers["Location"]) == (302, url)
    assert not TrackingHit.objects.exists()


def test_link_of_an_earlier_mail_which_does_not_say_where_it_leads_still_leads_there(
    tenant: Tenant, world: Client
) -> None:
    message = make_tracked()
    [url, *_others] = track(message).links
    response = world.get(f"/t/c/{SIGNER.sign(f'{message.pk.hex}.1')}")
    assert response.headers["Location"] == url
    message.lead.delete()
    assert world.get(f"/t/c/{SIGNER.sign(f'{message.pk.hex}.1')}").status_code == 404


def test_a_flood_is_not_kept(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    pixel = path_of(track(message).pixel_url)
    TrackingHit.objects.bulk_create(
        TrackingHit(message=message, kind="opened", at=timezone.now()) for _hit in range(MOST_HITS)
    )
    assert world.get(pixel).status_code == 200
    assert TrackingHit.objects.count() == MOST_HITS


def test_scanner_does_not_use_up_the_place_of_the_person_after_it(
    tenant: Tenant, world: Client
) -> None:
    message = make_tracked()
    address = path_of(next(iter(track(message).links.values())))
    long_ago = timezone.now() - timedelta(hours=1)
    TrackingHit.objects.bulk_create(
        TrackingHit(
            message=message, link=link, kind=kind, at=long_ago, reasons=[Reason.BURST.value]
        )
        for link, kind in ((None, "opened"), (TrackedLink.objects.first(), "clicked"))
        for _hit in range(MOST_HITS)
    )
    world.get(address, headers={"User-Agent": "curl/8"})
    assert TrackingHit.objects.count() == 2 * MOST_HITS
    world.get(address)
    judge_later()
    assert told() == ["message.opened", "message.clicked"]


def test_openings_do_not_use_up_the_place_of_the_first_click(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    address = path_of(next(iter(track(message).links.values())))
    TrackingHit.objects.bulk_create(
        TrackingHit(message=message, kind="opened", at=timezone.now()) for _hit in range(MOST_HITS)
    )
    world.get(address)
    judge_later()
    assert "message.clicked" in told()


def test_scanner_that_comes_again_and_again_leaves_so_many_hits(tenant: Tenant) -> None:
    message = make_tracked()
    track(message)
    first, second = TrackedLink.objects.order_by("number")
    long_ago = timezone.now() - timedelta(hours=1)
    for _scan in range(3):
        TrackingHit.objects.bulk_create(
            TrackingHit(message=message, link=link, kind="clicked", at=long_ago)
            for link in (first, second)
            for _hit in range(MOST_HITS // 2)
        )
        judge_hits()
    assert (
        TrackingHit.objects.filter(is_machine=True).count()
        == MOST_HITS
        == (TrackingHit.objects.count())
    )


# --- Whom nobody tracks -------------------------------------------------------------------------


@pytest.mark.parametrize("basis", [LawfulBasis.LEGITIMATE_INTEREST, LawfulBasis.CONTRACT])
def test_mail_to_somebody_who_has_not_consented_carries_nothing(
    tenant: Tenant, basis: LawfulBasis
) -> None:
    message = make_tracked()
    AddressStanding.objects.update(basis=basis)
    assert (track(message).pixel_url, dict(track(message).links)) == ("", {})


def test_who_has_taken_their_consent_back_is_led_on_and_not_noted(
    tenant: Tenant, world: Client
) -> None:
    message = make_tracked()
    tracks = track(message)
    opt_out(message.lead, channel="email", address=message.address, source="manual")
    for url, address in tracks.links.items():
        assert world.get(path_of(address)).headers["Location"] == url
    world.get(path_of(tracks.pixel_url))
    assert not TrackingHit.objects.exists()


# --- What is told -------------------------------------------------------------------------------


def judge_later() -> None:
    """Judge what was asked for up to now."""
    TrackingHit.objects.filter(judged_at=None).update(
        at=timezone.now() - SETTLED - timedelta(seconds=1)
    )
    judge_hits()


def told() -> list[str]:
    """What was told of the mail."""
    types = ("message.opened", "message.clicked")
    events = Event.objects.filter(type__in=types).order_by("position")
    return [event.type for event in events]


def test_hit_is_judged_when_what_belongs_to_it_has_come_in(tenant: Tenant, world: Client) -> None:
    world.get(path_of(track(make_tracked()).pixel_url))
    assert judge_hits() == 0
    assert told() == []


def test_first_opening_is_told_once(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    pixel = path_of(track(message).pixel_url)
    for _time in range(2):
        world.get(pixel)
        judge_later()
    message.refresh_from_db()
    assert told() == ["message.opened"]
    event = Event.objects.get(type="message.opened")
    assert event.payload["message_id"] == str(message.pk)
    assert event.occurred_at == message.opened_at


def test_whoever_follows_a_link_has_opened_the_mail(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    address = path_of(track(message).links["https://example.com/b_(c)"])
    world.get(address)
    judge_later()
    assert told() == ["message.opened", "message.clicked"]
    clicked = Event.objects.get(type="message.clicked")
    assert clicked.payload["link"] == "https://example.com/b_(c)"
    message.refresh_from_db()
    assert message.clicked_at == message.opened_at == clicked.occurred_at


def test_machine_is_kept_with_its_reasons_and_tells_nothing(tenant: Tenant, world: Client) -> None:
    message = make_tracked()
    tracks = track(message)
    world.get(path_of(tracks.pixel_url), headers={"User-Agent": "Mozilla/5.0"})
    for address in tracks.links.values():
        world.get(path_of(address))
    world.head(path_of(tracks.pixel_url))
    world.get(path_of(tracks.pixel_url), headers={"Sec-Purpose": "prefetch"})
    judge_later()
    assert told() == []
    hits = TrackingHit.objects.order_by("id")
    assert [(hit.kind, hit.is_machine, hit.reasons) for hit in hits] == [
        ("opened", True, ["prefetch"]),
        ("clicked", True, ["burst"]),
        ("clicked", True, ["burst"]),
        ("opened", True, ["head"]),
        ("opened", True, ["prefetch"]),
    ]
    message.refresh_from_db()
    assert (message.opened_at, message.clicked_at) == (None, None)


def test_person_after_the_machine_is_told(tenant: Tenant, world: Client) -> None:
    message = make_tracked(ago=timedelta(0))
    address = path_of(next(iter(track(message).links.values())))
    world.get(address)
    judge_later()
    assert told() == []
    with travel(timezone.now() + timedelta(minutes=5)):
        world.get(address)
    judge_later()
    assert told() == ["message.opened", "message.clicked"]


def test_judging_takes_as_many_statements_for_many(
    tenant: Tenant, world: Client, django_assert_max_num_queries: Any
) -> None:
    for _mail in range(10):
        tracks = track(make_tracked())
        world.get(path_of(tracks.pixel_url), headers={"User-Agent": "curl/8"})
    TrackingHit.objects.update(at=timezone.now() - timedelta(minutes=1))
    with django_assert_max_num_queries(10):
        assert judge_hits() == 10
