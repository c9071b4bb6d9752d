"""Alerts on their way to people: a real mail server, a real receiver of webhooks."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.alerts import webhooks
from events.alerts.digests import MOST_ALONE, tell_together
from events.alerts.payloads import AlertRaised
from events.alerts.rules import raise_alerts, raise_alerts_of_levels
from events.corrections import correct_event
from events.models import Alert, AlertRule, Attempt, Delivery, Event, FailureGroup
from events.publishing import publish
from events.retry import Permanent, Retry
from events.testing import settle_events
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group, make_rule, make_tally
from tests.factories import make_api_key, make_tenant
from tests.outside.mail import MailServer
from tests.outside.webhook import Receiver

pytestmark = pytest.mark.django_db
SECRET = webhooks.new_secret()


@pytest.fixture
def mail_server(settings: LazySettings) -> Iterator[MailServer]:
    """A mail server that the settings name."""
    with MailServer().serving() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_FROM = "SalesFlow <alerts@sales.example.com>"
        settings.BASE_URL = "https://sales.example.com"
        yield server


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Receiver]:
    """A receiver on this machine, which the settings allow to call."""
    settings.ALERT_PRIVATE_ADDRESSES = True
    settings.BASE_URL = "https://sales.example.com"
    with Receiver().serving() as receiver:
        yield receiver


def make_webhook_rule(receiver: Receiver, path: str = "/taken", **fields: Any) -> AlertRule:
    url = f"{receiver.address}{path}"
    return make_rule(emails=[], webhook_url=url, webhook_secret=SECRET, **fields)


def deliveries() -> dict[str, tuple[str, str]]:
    """Handler → (status, error) of the last alert."""
    event = Event.unscoped.filter(type="alert.raised").latest("id")
    rows = Delivery.objects.filter(event=event).values_list("handler", "status", "error")
    return {handler: (status, error) for handler, status, error in rows}


# --- Mail ---------------------------------------------------------------------------------------


def test_mail_tells_what_failed_how_often_and_where_to_look(
    tenant: Tenant, mail_server: MailServer
) -> None:
    make_rule(emails=["ops@example.com", "lead@example.com"])
    group = make_group(tenant)
    raise_alerts()
    type(group).unscoped.update(occurrences=250)
    settle_events()
    [mail] = mail_server.mails
    text = mail.get_content()
    assert mail["Subject"] == "[SalesFlow] send_mail fails in a new way"
    assert mail["From"] == "SalesFlow <alerts@sales.example.com>"
    assert mail_server.recipients == [["ops@example.com", "lead@example.com"]]
    assert "TimeoutError: no answer within … s" in text
    # As many as by now, not as when the rule found it.
    assert "It was seen 250 times" in text
    assert f"https://sales.example.com/admin/events/failures/{group.fingerprint}/" in text
    assert "most once an hour" in text


def test_mail_keeps_its_id_when_it_is_sent_again(tenant: Tenant, mail_server: MailServer) -> None:
    make_rule()
    make_group(tenant)
    raise_alerts()
    settle_events()
    event = Event.unscoped.get()
    assert mail_server.mails[0]["Message-ID"] == f"<{event.pk}@sales.example.com>"


def test_mail_is_in_the_language_of_the_tenant(tenant: Tenant, mail_server: MailServer) -> None:
    tenant.language = "de"
    tenant.save()
    make_rule("failure_rate", threshold=10)
    make_tally(tenant, failed=5, succeeded=5)
    raise_alerts_of_levels()
    settle_events()
    [mail] = mail_server.mails
    assert "/admin/events/event/?handler=send_mail" in mail.get_content()


def test_mail_that_the_server_refuses_is_tried_again_and_fails_visibly(
    tenant: Tenant, mail_server: MailServer
) -> None:
    mail_server.refused.add("ops@example.com")
    make_rule(tenant=tenant)
    make_group(tenant)
    raise_alerts()
    settle_events()
    status, error = deliveries()["mail_alert"]
    assert status == "failed"
    assert "SMTPRecipientsRefused" in error


def test_without_a_mail_server_the_mail_fails_and_names_the_setting(
    tenant: Tenant, settings: LazySettings
) -> None:
    settings.EMAIL_URL = ""
    make_rule(tenant=tenant)
    make_group(tenant)
    raise_alerts()
    settle_events()
    assert deliveries()["mail_alert"] == (
        "failed",
        "Permanent: No mail server is set: SALESFLOW_EMAIL_URL.",
    )


def test_line_breaks_do_not_get_into_the_subject(tenant: Tenant, mail_server: MailServer) -> None:
    make_rule()
    make_group(tenant, handler="bad\r\nBcc: x@example.com")
    raise_alerts()
    settle_events()
    [mail] = mail_server.mails
    assert mail["Bcc"] is None
    assert "bad Bcc: x@example.com" in mail["Subject"]


def test_alert_of_a_rule_that_was_deleted_is_told_to_nobody(
    tenant: Tenant, mail_server: MailServer
) -> None:
    rule = make_rule()
    make_group(tenant)
    raise_alerts()
    rule.delete()
    settle_events()
    assert mail_server.mails == []
    assert {status for status, _error in deliveries().values()} == {"succeeded"}


def test_failure_is_one_at_tenants_of_several_languages_and_told_in_each(
    tenant: Tenant, receiver: Receiver
) -> None:
    german = make_tenant()
    Tenant.objects.filter(pk=german.pk).update(language="de")
    for each in (tenant, german):
        make_webhook_rule(receiver, "/gone", tenant=each)
        make_group(each)
    raise_alerts()
    settle_events()
    errors = Delivery.objects.filter(handler="post_alert").values_list("error", flat=True)
    assert {error.partition(": ")[2] for error in errors} == {
        "127.0.0.1 answered 410: it is gone.",
        "127.0.0.1 hat mit 410 geantwortet: Die Adresse gibt es nicht mehr.",
    }
    groups = FailureGroup.unscoped.filter(handler="post_alert")
    assert len({group.fingerprint for group in groups}) == 1
    assert {group.message for group in groups} == {"# answered #: it is gone."}


# --- A rule of all tenants ----------------------------------------------------------------------


def test_tenant_reads_nothing_of_the_rule_of_all_tenants_on_its_event(
    tenant: Tenant, settings: LazySettings
) -> None:
    """What the API tells its reps: no name, no figure of others, nobody who is told."""
    settings.EMAIL_URL = ""
    rule = make_rule(
        "failure_rate",
        threshold=5,
        name="Pager of the operator",
        emails=["ceo@operator.example.com"],
        webhook_url="https://hooks.operator.invalid/T0/B1",
        webhook_secret=SECRET,
    )
    make_tally(tenant, failed=10)
    make_tally(make_tenant(), succeeded=90)
    raise_alerts_of_levels()
    settle_events()
    event = Event.unscoped.get(type="alert.raised")
    client = Client(headers={"Authorization": f"Api-Key {make_api_key(tenant)}"})
    told = client.get(reverse("api-event", args=[event.pk])).json()
    assert told["payload"] == {
        "kind": "failure_rate",
        "handler": "send_mail",
        "fingerprint": "",
        "error": "",
        "is_digest": False,
    }
    assert {row["status"] for row in told["deliveries"]} == {"failed"}
    text = json.dumps(told)
    for secret in ("operator.", "Pager", str(rule.pk), "EMAIL_URL"):
        assert secret not in text
    assert (Alert.objects.get().value, Alert.objects.get().threshold) == (10, 5)


def test_rule_of_all_tenants_is_told_what_all_come_to(
    tenant: Tenant, mail_server: MailServer, receiver: Receiver
) -> None:
    rule = make_webhook_rule(receiver, kind="failure_rate", threshold=5)
    type(rule).objects.update(emails=["ops@example.com"])
    make_tally(tenant, failed=10)
    make_tally(make_tenant(), succeeded=90)
    raise_alerts_of_levels()
    settle_events()
    assert "10 % of the last ten minutes' attempts failed" in mail_server.mails[0]["Subject"]
    data = json.loads(receiver.received[0].body)["data"]
    told = [data[name] for name in ("rule_id", "rule", "value", "threshold")]
    assert told == [str(rule.pk), rule.name, 10, 5]


def test_why_a_rule_of_all_tenants_told_nobody_is_in_the_log_of_the_workers(
    tenant: Tenant, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    mail_server.refused.add("ops@example.com")
    make_rule()
    make_group(tenant)
    raise_alerts()
    settle_events()
    status, error = deliveries()["mail_alert"]
    assert (status, "ops@example.com" in error) == ("failed", False)
    assert "SMTPRecipientsRefused" not in Attempt.objects.latest("pk").traceback
    assert "alert_not_sent" in caplog.text
    assert "ops@example.com" in caplog.text


def test_alert_that_somebody_writes_reaches_no_rule(
    tenant: Tenant, mail_server: MailServer
) -> None:
    """Neither a correction nor an event of a program that knows another's rule."""
    mail_server.refused.add("ops@example.com")
    make_rule(tenant=tenant)
    make_rule(tenant=make_tenant(), emails=["boss@other.example.com"])
    make_group(tenant)
    raise_alerts()
    settle_events()
    event = Event.unscoped.get()
    given = {**event.payload, "error": "call 0900"}
    with pytest.raises(ValidationError, match="is fixed"):
        correct_event(event, given, actor=None, reason="x", include_external=True)
    publish(AlertRaised.model_validate(given))
    settle_events()
    assert mail_server.mails == []


# --- Digests ------------------------------------------------------------------------------------


def make_storm(tenant: Tenant, count: int) -> list[FailureGroup]:
    """More failures than a rule tells of one by one, and the digest of the last of them."""
    for number in range(MOST_ALONE):
        make_group(tenant, handler=f"handler_{number}")
    raise_alerts()
    last = [make_group(tenant, message=f"{number} …") for number in range(count)]
    raise_alerts()
    Alert.objects.update(raised_at=timezone.now() - timedelta(minutes=6))
    assert tell_together() == 1
    settle_events()
    return last


def test_digest_is_one_mail_that_lists_all_that_it_is_about(
    tenant: Tenant, mail_server: MailServer
) -> None:
    make_rule(name="New failures")
    make_storm(tenant, 7)
    *_alone, mail = mail_server.mails
    text = mail.get_content()
    assert len(mail_server.mails) == MOST_ALONE + 1
    assert mail["Subject"].strip() == "[SalesFlow] 7 more alerts of the rule “New failures”"
    assert all(f"send_mail: TimeoutError: {number} …" in text for number in range(7))
    assert "https://sales.example.com/admin/events/failures/" in text
    assert "at most once an hour" in " ".join(text.split())


def test_digest_of_rates_says_each(tenant: Tenant, mail_server: MailServer) -> None:
    rule = make_rule("failure_rate", threshold=5)
    event = publish(AlertRaised(kind=rule.kind, is_digest=True))
    for handler, value in (("one", 40), ("two", 12.5)):
        Alert.objects.create(
            rule=rule, key=handler, tenant=tenant, event_id=event.pk, value=value, threshold=5
        )
    settle_events()
    text = mail_server.mails[0].get_content()
    assert "one: 40 % of the last ten minutes' attempts failed" in text
    assert "two: 12.5 % of the last ten minutes' attempts failed" in text
    assert "/admin/events/handlers/" in text


def test_digest_is_one_webhook_with_a_list(tenant: Tenant, receiver: Receiver) -> None:
    make_webhook_rule(receiver)
    groups = make_storm(tenant, 3)
    assert len(receiver.received) == MOST_ALONE + 1
    body = json.loads(receiver.received[-1].body)
    assert (body["type"], body["data"]["is_digest"]) == ("alert.digest", True)
    listed = body["data"]["alerts"]
    prints = {str(group.fingerprint): f"TimeoutError: {group.message}" for group in groups}
    assert {each["fingerprint"]: each["error"] for each in listed} == prints


# --- Webhook ------------------------------------------------------------------------------------


def test_webhook_is_signed_over_its_id_its_time_and_its_body(
    tenant: Tenant, receiver: Receiver
) -> None:
    make_webhook_rule(receiver, "/taken?channel=ops")
    make_group(tenant)
    raise_alerts()
    settle_events()
    [received] = receiver.received
    # Independent of our own code, as docs/alerts.md tells receivers to do.
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    sent = received.headers
    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + received.body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert sent["webhook-signature"] == f"v1,{wanted}"
    assert received.path == "/taken?channel=ops"


def test_webhook_says_what_the_mail_says_as_data(tenant: Tenant, receiver: Receiver) -> None:
    rule = make_webhook_rule(receiver)
    group = make_group(tenant)
    raise_alerts()
    settle_events()
    [received] = receiver.received
    event = Event.unscoped.get()
    body = json.loads(received.body)
    data = body["data"]
    assert (received.headers["webhook-id"], body["type"]) == (str(event.pk), "alert.raised")
    assert data["url"].endswith(f"/admin/events/failures/{group.fingerprint}/")
    assert (data["rule_id"], data["handler"], data["occurrences"]) == (str(rule.pk), "send_mail", 3)


@pytest.mark.parametrize(
    ("path", "attempts", "said"),
    [
        ("/moved", 1, "redirects are not followed"),
        ("/gone", 1, "it is gone"),
        ("/broken", 8, "127.0.0.1 answered 500."),
    ],
)
def test_answer_that_is_no_success_fails_the_delivery_and_is_told(
    tenant: Tenant, receiver: Receiver, path: str, attempts: int, said: str
) -> None:
    make_webhook_rule(receiver, path, tenant=tenant)
    make_group(tenant)
    raise_alerts()
    settle_events()
    status, error = deliveries()["post_alert"]
    assert (status, len(receiver.received)) == ("failed", attempts)
    assert said in error


def test_receiver_that_is_busy_says_when_to_come_again(receiver: Receiver) -> None:
    with pytest.raises(Retry) as asked:
        webhooks.post(f"{receiver.address}/busy", SECRET, b"{}", "1")
    assert asked.value.after == 90


def test_receiver_that_is_away_is_named_without_the_rest_of_its_address(receiver: Receiver) -> None:
    with Receiver().serving() as other:
        address = other.address
    with pytest.raises(webhooks.WebhookFailed, match=r"127\.0\.0\.1 cannot be reached") as failed:
        webhooks.post(f"{address}/secret-path", SECRET, b"{}", "1")
    assert "secret-path" not in str(failed.value)


def test_receiver_that_does_not_speak_tls_is_not_trusted(receiver: Receiver) -> None:
    with pytest.raises(webhooks.WebhookFailed, match="cannot be reached: SSLError"):
        webhooks.post(receiver.address.replace("http:", "https:"), SECRET, b"{}", "1")


def test_private_address_is_not_called_unless_the_settings_allow_it(
    receiver: Receiver, settings: LazySettings
) -> None:
    settings.ALERT_PRIVATE_ADDRESSES = False
    for host in ("127.0.0.1", "localhost"):
        url = receiver.address.replace("http:", "https:").replace("127.0.0.1", host)
        with pytest.raises(Permanent, match="not a public address"):
            webhooks.post(url, SECRET, b"{}", "1")
    with pytest.raises(Permanent, match="begins with https"):
        webhooks.post(receiver.address, SECRET, b"{}", "1")
    assert receiver.received == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
        "fec0::1",
        "192.0.0.192",
    ],
)
def test_address_of_no_public_host_is_told_apart(address: str) -> None:
    assert not webhooks.is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_address_may_be_called(address: str) -> None:
    assert webhooks.is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "begins with https"),
        ("https:///path", "begins with https"),
        ("https://user:pass@example.com/", "a name or a password"),
        ("https://example.com:port/", "no web address"),
        ("https://example.com/ä", "beyond ASCII"),
        ("https://10.0.0.1/", "not a public address"),
        ("https://intranet/", "not a public address"),
    ],
)
def test_address_that_cannot_be_called_is_refused_when_it_is_typed(url: str, said: str) -> None:
    with pytest.raises(Permanent, match=said):
        webhooks.check_address(url)


def test_secret_that_is_none_of_ours_signs_nothing() -> None:
    for secret in ("", "whsec_", "whsec_%%%"):
        with pytest.raises(Permanent, match="no usable secret"):
            webhooks.signature_of(secret, "1", 0, b"")
