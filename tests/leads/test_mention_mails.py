"""Colleagues whom a note names get a mail: once, in their language, unless they want none."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events import replay_event
from events.models import Delivery, Event
from events.testing import published, settle_events
from leads.mentions import see_mentions
from leads.models import Lead, Mention
from leads.payloads import ColleagueMentioned
from leads.services import add_note, delete_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Membership, Tenant, User
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead
from tests.outside.mail import MailServer
from tests.web import page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_server(settings: LazySettings) -> Iterator[MailServer]:
    """A mail server that the settings name."""
    with MailServer().serving() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_FROM = "SalesFlow <salesflow@sales.example.com>"
        settings.BASE_URL = "https://sales.example.com"
        yield server


@pytest.fixture
def ben(tenant: Tenant) -> User:
    """A colleague."""
    return make_user(tenant, name="Ben Okri", email="ben@example.com")


@pytest.fixture
def lead(tenant: Tenant) -> Lead:
    """Somebody to write notes about."""
    return make_lead(name="Grace Hopper")


def deliveries() -> list[tuple[str, str]]:
    """Status and error of each call of the handler."""
    rows = Delivery.objects.filter(handler="mail_colleague").order_by("pk")
    return list(rows.values_list("status", "error"))


def test_the_mail_says_who_wrote_what_about_whom_and_where(
    rep: User, ben: User, lead: Lead, mail_server: MailServer
) -> None:
    add_note(lead, "@Ben Okri, please call her.\nShe asked twice.", author=rep)
    settle_events()
    [mail] = mail_server.mails
    text = mail.get_content()
    assert mail_server.recipients == [["ben@example.com"]]
    assert mail["Subject"] == "[SalesFlow] Ada Lovelace mentioned you: Grace Hopper"
    assert mail["From"] == "SalesFlow <salesflow@sales.example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "@Ben Okri, please call her.\nShe asked twice." in text.replace("\r\n", "\n")
    assert f"https://sales.example.com{reverse('leads:detail', args=[lead.pk])}" in text
    assert "https://sales.example.com/profile" in text
    [event] = published(ColleagueMentioned)
    assert mail["Message-ID"] == f"<{event.pk}@sales.example.com>"


def test_everybody_who_is_named_gets_one_of_their_own(
    rep: User, ben: User, tenant: Tenant, lead: Lead, mail_server: MailServer
) -> None:
    make_user(tenant, name="Cyd", email="cyd@example.com")
    add_note(lead, "@Ben Okri @Ben Okri @Cyd @Ada Lovelace", author=rep)
    settle_events()
    assert sorted(mail_server.recipients) == [["ben@example.com"], ["cyd@example.com"]]


def test_one_address_that_is_refused_keeps_no_other_mail_back(
    ben: User, tenant: Tenant, lead: Lead, mail_server: MailServer
) -> None:
    make_user(tenant, name="Cyd", email="cyd@example.com")
    mail_server.refused.add("ben@example.com")
    add_note(lead, "@Ben Okri @Cyd")
    settle_events()
    assert mail_server.recipients == [["cyd@example.com"]]
    refused = ("failed", "Permanent: The mail server refuses ben@example.com.")
    assert sorted(deliveries()) == [refused, ("succeeded", "")]
    assert Delivery.objects.get(status="failed").attempts == 1


def test_the_mail_is_in_the_language_of_whoever_reads_it(
    ben: User, tenant: Tenant, lead: Lead, mail_server: MailServer
) -> None:
    tenant.language = "de"
    tenant.save()
    User.objects.filter(pk=ben.pk).update(language="en")
    add_note(lead, "@Ben Okri")
    settle_events()
    assert mail_server.mails[0]["Subject"] == "[SalesFlow] Somebody mentioned you: Grace Hopper"


def test_who_has_seen_it_meanwhile_gets_none(
    ben: User, lead: Lead, mail_server: MailServer
) -> None:
    add_note(lead, "@Ben Okri")
    see_mentions(lead, ben)
    settle_events()
    assert mail_server.mails == []
    assert deliveries() == [("succeeded", "")]


def test_who_wants_none_or_has_left_gets_none(
    ben: User, tenant: Tenant, lead: Lead, mail_server: MailServer
) -> None:
    cyd, dot = make_user(tenant, name="Cyd"), make_user(tenant, name="Dot")
    add_note(lead, "@Ben Okri @Cyd @Dot")
    User.objects.filter(pk=ben.pk).update(mention_mails=False)
    User.objects.filter(pk=cyd.pk).update(is_active=False)
    Membership.objects.filter(user=dot).delete()
    settle_events()
    assert Mention.objects.count() == 3
    assert mail_server.mails == []


def test_a_note_that_is_gone_is_mailed_to_nobody(
    ben: User, lead: Lead, mail_server: MailServer
) -> None:
    add_note(lead, "@Ben Okri")
    delete_lead(lead)
    settle_events()
    assert mail_server.mails == []
    assert deliveries() == [("succeeded", "")]


def test_without_a_mail_server_nothing_fails(ben: User, lead: Lead, settings: LazySettings) -> None:
    settings.EMAIL_URL = ""
    add_note(lead, "@Ben Okri")
    settle_events()
    assert deliveries() == [("succeeded", "")]


def test_a_replay_mails_nobody_again(ben: User, lead: Lead, mail_server: MailServer) -> None:
    add_note(lead, "@Ben Okri")
    settle_events()
    [event] = published(ColleagueMentioned)
    replay_event(event.pk, reason="a test", handlers=["mail_colleague"])
    settle_events()
    assert len(mail_server.mails) == 1


def test_colleagues_of_another_tenant_are_not_told(
    ben: User, lead: Lead, mail_server: MailServer
) -> None:
    """Nor does an event that names their mention, such as a corrected one, reach them."""
    with tenant_context(make_tenant()) as other:
        eve = make_user(other, name="Eve", email="eve@example.com")
        add_note(make_lead(), "@Eve our secret")
        theirs = Mention.objects.get(user=eve)
    Event.unscoped.update(status="processed", processed_at=timezone.now())
    add_note(lead, "@Eve @Ben Okri")
    event = published(ColleagueMentioned)[0]
    payload = event.payload | {"mention_id": theirs.pk}
    Event.unscoped.filter(pk=event.pk).update(payload=payload)
    settle_events()
    assert mail_server.mails == []


def test_a_line_break_in_a_name_adds_no_header(
    ben: User, tenant: Tenant, lead: Lead, mail_server: MailServer
) -> None:
    lead.name = "X\r\nBcc: e@example.com"
    lead.save()
    add_note(lead, "@Ben Okri")
    settle_events()
    [mail] = mail_server.mails
    assert mail["Bcc"] is None
    assert "X Bcc: e@example.com" in mail["Subject"]


def test_a_long_note_is_quoted_in_part(ben: User, lead: Lead, mail_server: MailServer) -> None:
    add_note(lead, "@Ben Okri " + "word " * 1900)
    settle_events()
    [mail] = mail_server.mails
    assert 1900 < len(mail.get_content()) < 2600


def test_the_timeline_tells_the_note_alone(browser: Client, ben: User, lead: Lead) -> None:
    add_note(lead, "@Ben Okri look")
    text = page_of(browser.get(reverse("leads:timeline", args=[lead.pk]))).text
    assert text.count("@Ben Okri look") == 1
    assert "mentioned" not in text


def test_the_profile_switches_the_mails_off_and_on(browser: Client, rep: User) -> None:
    page = page_of(browser.get(reverse("accounts:profile")))
    [box] = [field for field in page.all("input") if field.get("name") == "mention_mails"]
    assert "checked" in box
    given = {"name": "Ada", "language": "", "time_zone": ""}
    browser.post(reverse("accounts:profile"), given)
    rep.refresh_from_db()
    assert rep.mention_mails is False
    browser.post(reverse("accounts:profile"), given | {"mention_mails": "on"})
    rep.refresh_from_db()
    assert rep.mention_mails is True
