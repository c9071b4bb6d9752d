"""Alert rules in the admin: what a rule needs, who may have one, and that its secret stays one."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.console.alert_rules import ALERTS_SHOWN, MOST_TESTS
from events.models import Alert, AlertRule, AuditLine
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_rule
from tests.factories import make_tenant
from tests.outside.mail import MailServer
from tests.outside.webhook import Receiver
from tests.staff import client_of, make_staff, make_superuser, said_on

LIST = reverse("admin:events_alertrule_changelist")
ADD = reverse("admin:events_alertrule_add")
MAY = ["view_alertrule", "add_alertrule", "change_alertrule", "delete_alertrule"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def page_of(rule: AlertRule, page: str = "change") -> str:
    return reverse(f"admin:events_alertrule_{page}", args=[rule.pk])


def filled(**fields: Any) -> dict[str, Any]:
    """The form of a rule, as a browser sends it."""
    given = {
        "tenant": "",
        "name": "New failures",
        "kind": "new_group",
        "threshold": "",
        "emails": "ops@example.com",
        "webhook_url": "",
        "is_active": "on",
        **fields,
    }
    return {name: value for name, value in given.items() if value is not None}


def errors_on(response: Any) -> dict[str, list[str]]:
    return {name: list(texts) for name, texts in response.context["adminform"].errors.items()}


# --- What a rule needs --------------------------------------------------------------------------


def test_rule_is_saved_with_its_addresses_one_a_line(root: Client) -> None:
    response = root.post(ADD, filled(emails="ops@example.com\r\nlead@example.com, ops@example.com"))
    assert response.status_code == 302
    rule = AlertRule.objects.get()
    assert (rule.kind, rule.emails) == ("new_group", ["ops@example.com", "lead@example.com"])
    assert root.get(page_of(rule)).status_code == 200
    assert "ops@example.com, lead@example.com" in root.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"emails": "ops"}, "emails", "“ops” is no e-mail address"),
        ({"emails": ""}, "emails", "Name an address or a webhook"),
        ({"emails": " ".join(f"a{n}@example.com" for n in range(21))}, "emails", "At most 20"),
        ({"kind": "failure_rate"}, "threshold", "from 0 to less than 100"),
        ({"kind": "failure_rate", "threshold": "100"}, "threshold", "from 0 to less than 100"),
        ({"kind": "failure_rate", "threshold": "nan"}, "threshold", ""),
        ({"kind": "oldest_pending", "threshold": "0.5"}, "threshold", "seconds, from 1 on"),
        ({"threshold": "5"}, "threshold", "have no threshold"),
        ({"webhook_url": "http://example.com/"}, "webhook_url", "begins with https"),
        ({"webhook_url": "https://10.0.0.1/"}, "webhook_url", "not a public address"),
        ({"webhook_url": "https://a:b@example.com/"}, "webhook_url", "a name or a password"),
    ],
)
def test_rule_that_could_not_work_is_refused_at_its_field(
    root: Client, fields: dict[str, str], name: str, said: str
) -> None:
    errors = errors_on(root.post(ADD, filled(**fields)))
    assert set(errors) == {name}
    assert said in errors[name][0]
    assert not AlertRule.objects.exists()


def test_missing_mail_server_is_told_when_a_rule_is_saved(
    root: Client, settings: LazySettings
) -> None:
    settings.EMAIL_URL = ""
    response = root.post(ADD, filled(), follow=True)
    assert "SALESFLOW_EMAIL_URL" in said_on(response)


def test_last_alerts_are_named_once_each_the_newest_first(root: Client, tenant: Tenant) -> None:
    def told(event_id: UUID | None, minutes: int) -> None:
        at = timezone.now() - timedelta(minutes=minutes)
        Alert.objects.create(rule=rule, tenant=tenant, event_id=event_id, raised_at=at)

    rule, digest, alone, latest = make_rule(), uuid4(), uuid4(), uuid4()
    for minutes in (50, 40, 4):
        told(digest, minutes)
    told(alone, 5)
    told(latest, 1)
    told(None, 0)
    for minutes in range(60, 60 + ALERTS_SHOWN):
        told(uuid4(), minutes)
    page = root.get(page_of(rule)).content.decode()
    shown = re.findall(r"/events/event/([0-9a-f-]{36})/change", page)
    assert shown[:3] == [str(latest), str(digest), str(alone)]
    assert len(set(shown)) == len(shown) == ALERTS_SHOWN


def test_what_was_done_with_a_rule_is_in_the_audit(root: Client) -> None:
    root.post(ADD, filled())
    rule = AlertRule.objects.get()
    root.post(page_of(rule), filled(name="All failures"))
    root.post(page_of(rule, "delete"), {"post": "yes"})
    actions = list(AuditLine.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["alert_rule.added", "alert_rule.changed", "alert_rule.deleted"]
    assert AuditLine.objects.get(action="alert_rule.changed").details == {
        "name": "All failures",
        "fields": ["name"],
    }


# --- The secret ---------------------------------------------------------------------------------


def test_secret_is_made_and_shown_once(root: Client) -> None:
    url = "https://hooks.example.com/alerts"
    response = root.post(ADD, filled(webhook_url=url), follow=True)
    rule = AlertRule.objects.get()
    assert rule.webhook_secret.startswith("whsec_")
    assert rule.webhook_secret in said_on(response)
    for page in (LIST, page_of(rule), page_of(rule, "history")):
        assert rule.webhook_secret not in root.get(page).content.decode()
    assert rule.webhook_secret not in str(list(AuditLine.objects.values()))


def test_secret_stays_when_the_rule_is_saved_again_and_goes_with_the_webhook(root: Client) -> None:
    url = "https://hooks.example.com/alerts"
    root.post(ADD, filled(webhook_url=url), follow=True)
    rule = AlertRule.objects.get()
    forged = filled(webhook_url=url, name="Other", webhook_secret="whsec_bWluZQ==")
    response = root.post(page_of(rule), forged, follow=True)
    before, rule = rule.webhook_secret, AlertRule.objects.get()
    assert rule.webhook_secret == before
    assert before not in said_on(response)
    root.post(page_of(rule), filled())
    assert AlertRule.objects.get().webhook_secret == ""


def test_new_secret_takes_the_place_of_the_old_one(root: Client) -> None:
    rule = make_rule(webhook_url="https://hooks.example.com/", webhook_secret="whsec_b2xk")
    response = root.post(page_of(rule, "secret"), follow=True)
    rule.refresh_from_db()
    assert rule.webhook_secret != "whsec_b2xk"
    assert rule.webhook_secret in said_on(response)
    assert root.get(page_of(rule, "secret")).status_code == 405


# --- Send a test --------------------------------------------------------------------------------


def test_test_goes_to_the_mail_server_and_the_webhook_and_says_what_they_said(
    root: Client, settings: LazySettings
) -> None:
    settings.ALERT_PRIVATE_ADDRESSES = True
    with MailServer().serving() as mail_server, Receiver().serving() as receiver:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_URL = f"smtp://127.0.0.1:{mail_server.port}"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.port
        rule = make_rule(webhook_url=f"{receiver.address}/taken", webhook_secret="whsec_c2VjcmV0")
        said = said_on(root.post(page_of(rule, "test"), follow=True))
        [mail] = mail_server.mails
        [received] = receiver.received
        assert "A test of the alert rule" in mail["Subject"]
        assert b'"alert.test"' in received.body
        assert "The mail server took the test for 1 address." in said
        assert "The webhook answered 204." in said


def test_tests_of_a_rule_come_to_an_end(root: Client, settings: LazySettings) -> None:
    """They may go to anybody's address."""
    settings.EMAIL_URL = ""
    rule, other = make_rule(), make_rule(name="another")
    for _test in range(MOST_TESTS):
        root.post(page_of(rule, "test"))
    assert "At most 10 tests" in said_on(root.post(page_of(rule, "test"), follow=True))
    assert AuditLine.objects.filter(action="alert_rule.tested").count() == MOST_TESTS
    assert "No mail server" in said_on(root.post(page_of(other, "test"), follow=True))


def test_test_that_fails_says_why(root: Client, settings: LazySettings) -> None:
    settings.EMAIL_URL, settings.ALERT_PRIVATE_ADDRESSES = "", True
    with Receiver().serving() as receiver:
        rule = make_rule(webhook_url=f"{receiver.address}/broken", webhook_secret="whsec_c2VjcmV0")
        said = said_on(root.post(page_of(rule, "test"), follow=True))
    assert "SALESFLOW_EMAIL_URL" in said
    assert "127.0.0.1 answered 500." in said


# --- Who may ------------------------------------------------------------------------------------


def test_rules_of_every_tenant_and_of_others_are_not_there_for_staff(tenant: Tenant) -> None:
    own, all_, other = make_rule(tenant=tenant), make_rule(), make_rule(tenant=make_tenant())
    client = client_of(make_staff(tenant, may=MAY))
    assert list(client.get(LIST).context["cl"].result_list) == [own]
    for rule in (all_, other):
        for page in ("test", "secret"):
            assert client.post(page_of(rule, page)).status_code == 404
        client.post(page_of(rule), filled(tenant=str(tenant.pk), name="mine"))
        client.post(page_of(rule, "delete"), {"post": "yes"})
    assert AlertRule.objects.filter(name="mine").count() == 0
    assert AlertRule.objects.count() == 3


def test_staff_have_to_name_a_tenant_of_theirs(tenant: Tenant) -> None:
    client, other = client_of(make_staff(tenant, may=MAY)), make_tenant()
    for chosen in ("", str(other.pk)):
        assert set(errors_on(client.post(ADD, filled(tenant=chosen)))) == {"tenant"}
    client.post(ADD, filled(tenant=str(tenant.pk)))
    assert AlertRule.objects.get().tenant == tenant


def test_who_may_only_see_rules_sends_no_test_and_makes_no_secret(tenant: Tenant) -> None:
    rule = make_rule(tenant=tenant, webhook_url="https://hooks.example.com/")
    client = client_of(make_staff(tenant, may=["view_alertrule"]))
    page = client.get(page_of(rule))
    assert page.status_code == 200
    assert "/test/" not in page.content.decode()
    for target in ("test", "secret"):
        assert client.post(page_of(rule, target)).status_code == 403
    assert client_of(make_staff(tenant)).post(page_of(rule, "test")).status_code == 403
    assert not AuditLine.objects.exists()
