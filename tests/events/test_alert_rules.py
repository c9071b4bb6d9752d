"""What alert rules find, and that it is told once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from events.alerts.digests import MOST_ALONE, tell_together
from events.alerts.payloads import AlertRaised
from events.alerts.rules import forget_old_alerts, raise_alerts, raise_alerts_of_levels
from events.models import Alert, AlertRule, Event, FailureGroup
from events.sweeping import sweep
from events.testing import published
from salesflow.accounts.ids import first_uuid7_of
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group, make_rule, make_tally
from tests.events.factories import make_events
from tests.events.threads import at_once
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db


def told() -> list[AlertRaised]:
    """What the alerts said, in their order."""
    return [event.data for event in published(AlertRaised)]  # type: ignore[misc]


# --- New groups and those that come back --------------------------------------------------------


def test_new_group_is_told_once(tenant: Tenant) -> None:
    rule, group = make_rule(), make_group(tenant)
    assert [raise_alerts() for _sweep in range(3)] == [1, 0, 0]
    [alert] = told()
    assert (Alert.objects.get().rule, alert.kind) == (rule, "new_group")
    assert (alert.fingerprint, alert.handler) == (str(group.fingerprint), "send_mail")
    assert alert.error == "TimeoutError: no answer within … s"


def test_alert_is_an_event_of_the_tenant_and_is_kept_beside_the_rule(tenant: Tenant) -> None:
    rule = make_rule()
    make_group(tenant)
    raise_alerts()
    alert, event = Alert.objects.get(), Event.unscoped.get()
    assert (alert.rule, alert.event_id, alert.tenant) == (rule, event.pk, tenant)
    assert (event.tenant, event.type, event.source) == (tenant, "alert.raised", "alerts")


def test_failure_of_several_tenants_is_told_once_to_who_watches_all(tenant: Tenant) -> None:
    make_rule()
    fingerprint = uuid4()
    for each in (tenant, make_tenant(), make_tenant()):
        make_group(each, fingerprint=fingerprint)
    assert [raise_alerts(), raise_alerts()] == [1, 0]


def test_rule_of_a_tenant_is_told_of_that_tenant_alone(tenant: Tenant) -> None:
    make_rule(tenant=tenant)
    make_group(make_tenant())
    assert raise_alerts() == 0
    make_group(tenant)
    assert raise_alerts() == 1
    assert Event.unscoped.get().tenant == tenant


def test_rule_is_not_told_of_what_was_there_before_it(tenant: Tenant) -> None:
    rule = make_rule()
    type(rule).objects.update(created_at=timezone.now() + timedelta(seconds=1))
    make_group(tenant)
    assert raise_alerts() == 0


def test_rule_that_is_not_active_finds_nothing(tenant: Tenant) -> None:
    make_rule(is_active=False)
    make_group(tenant)
    assert raise_alerts() == 0


def test_group_that_came_back_is_told_unless_it_is_muted(tenant: Tenant) -> None:
    make_rule("group_reopened")
    long_ago = timezone.now() - timedelta(days=3)
    make_group(tenant, seen=long_ago)
    make_group(tenant, seen=long_ago, state="muted", reopened_at=timezone.now())
    assert raise_alerts() == 0
    group = make_group(tenant, seen=long_ago, reopened_at=timezone.now())
    assert [raise_alerts(), raise_alerts()] == [1, 0]
    assert told()[0].fingerprint == str(group.fingerprint)


def test_group_that_comes_back_again_is_told_again_when_the_hour_is_over(tenant: Tenant) -> None:
    make_rule("group_reopened")
    now = timezone.now()
    group = make_group(
        tenant, seen=now - timedelta(days=3), reopened_at=now - timedelta(minutes=50)
    )
    assert raise_alerts() == 1
    # Forty seconds later, whatever the clock on the wall says.
    told_minutes_ago(45)
    come_back(group, minutes_ago=40)
    assert raise_alerts() == 0
    told_minutes_ago(61)
    assert [raise_alerts(), raise_alerts()] == [1, 0]


def test_group_that_somebody_has_seen_meanwhile_is_not_told(tenant: Tenant) -> None:
    make_rule("group_reopened")
    group = make_group(tenant, seen=timezone.now() - timedelta(days=3))
    come_back(group, minutes_ago=1)
    FailureGroup.unscoped.update(state="acknowledged")
    assert raise_alerts() == 0


def test_group_is_new_once_wherever_the_next_tenant_is_hit(tenant: Tenant) -> None:
    make_rule()
    make_rule(tenant=(other := make_tenant()), name="their own")
    now, fingerprint = timezone.now(), uuid4()
    AlertRule.objects.update(created_at=now - timedelta(days=9))
    make_group(tenant, fingerprint=fingerprint, seen=now - timedelta(minutes=100))
    assert raise_alerts() == 1
    told_minutes_ago(99)
    make_group(other, fingerprint=fingerprint, seen=now - timedelta(minutes=1))
    assert raise_alerts() == 1
    assert Alert.objects.latest("id").rule.name == "their own"


def test_what_failed_while_nobody_swept_is_told_up_to_a_day_later(tenant: Tenant) -> None:
    make_rule()
    AlertRule.objects.update(created_at=timezone.now() - timedelta(days=9))
    make_group(tenant, seen=timezone.now() - timedelta(hours=23))
    make_group(tenant, seen=timezone.now() - timedelta(hours=25))
    assert [raise_alerts(), raise_alerts()] == [1, 0]


def told_minutes_ago(minutes: int) -> None:
    """Have all that was told been told then."""
    Alert.objects.update(raised_at=timezone.now() - timedelta(minutes=minutes))


def come_back(group: FailureGroup, *, minutes_ago: int) -> None:
    """Have a group been resolved and come back then."""
    group.reopened_at = timezone.now() - timedelta(minutes=minutes_ago)
    group.save()


# --- Rates and ages -----------------------------------------------------------------------------


def test_rate_above_the_threshold_is_told_with_both_numbers(tenant: Tenant) -> None:
    make_rule("failure_rate", threshold=20)
    make_tally(tenant, succeeded=60, failed=10, retried=30)
    make_tally(tenant, "quick_one", succeeded=90, failed=10)
    assert [raise_alerts_of_levels(), raise_alerts_of_levels()] == [1, 0]
    alert = Alert.objects.get()
    assert (told()[0].handler, alert.value, alert.threshold) == ("send_mail", 40, 20)


def test_two_failures_are_no_rate(tenant: Tenant) -> None:
    make_rule("failure_rate", threshold=20)
    make_tally(tenant, failed=2)
    assert raise_alerts_of_levels() == 0


def test_rate_is_that_of_the_rules_tenant(tenant: Tenant) -> None:
    make_rule("failure_rate", threshold=50, tenant=tenant)
    make_tally(make_tenant(), failed=100)
    make_tally(tenant, succeeded=100, failed=10)
    assert raise_alerts_of_levels() == 0


def test_alert_of_a_rate_is_the_event_of_the_tenant_that_it_hits_most(tenant: Tenant) -> None:
    make_rule("failure_rate", threshold=50)
    hit = make_tenant()
    make_tally(tenant, failed=3)
    make_tally(hit, failed=30)
    raise_alerts_of_levels()
    assert Event.unscoped.get().tenant == hit


def test_event_that_waits_too_long_is_told(tenant: Tenant) -> None:
    make_rule("oldest_pending", threshold=60)
    make_events(2)
    assert raise_alerts_of_levels() == 0
    Event.unscoped.update(due_at=timezone.now() - timedelta(seconds=90))
    assert [raise_alerts_of_levels(), raise_alerts_of_levels()] == [1, 0]
    alert = Alert.objects.get()
    assert (alert.value or 0) >= 90
    assert alert.threshold == 60


def test_event_of_another_tenant_may_wait_as_long_as_it_likes(tenant: Tenant) -> None:
    make_rule("oldest_pending", threshold=60, tenant=make_tenant())
    make_events(1)
    Event.unscoped.update(due_at=timezone.now() - timedelta(seconds=90))
    assert raise_alerts_of_levels() == 0


# --- Storms -------------------------------------------------------------------------------------


def make_storm(tenant: Tenant, count: int) -> AlertRule:
    """A rule of the tenant, and so many failures that are new to it."""
    rule = make_rule(tenant=tenant)
    for number in range(count):
        make_group(tenant, handler=f"handler_{number}")
    return rule


def digests() -> list[Event]:
    return [event for event in published(AlertRaised) if event.payload["is_digest"]]


def test_storm_is_told_in_twenty_alerts_and_one_digest(tenant: Tenant) -> None:
    make_storm(tenant, MOST_ALONE + 7)
    assert [raise_alerts(), raise_alerts()] == [MOST_ALONE + 7, 0]
    assert len(told()) == MOST_ALONE
    assert tell_together() == 0  # there may be more in a moment
    told_minutes_ago(6)
    assert [tell_together(), tell_together()] == [1, 0]
    [digest] = digests()
    assert Alert.objects.filter(event_id=digest.pk).count() == 7
    assert digest.payload["fingerprint"] == digest.payload["handler"] == ""
    assert not Alert.objects.filter(event_id=None).exists()


def test_next_digest_comes_an_hour_later(tenant: Tenant) -> None:
    rule = make_storm(tenant, MOST_ALONE + 1)
    raise_alerts()
    told_minutes_ago(6)
    assert tell_together() == 1
    make_group(tenant)
    raise_alerts()
    told_minutes_ago(7)
    assert tell_together() == 0
    AlertRule.objects.filter(pk=rule.pk).update(digested_at=timezone.now() - timedelta(minutes=61))
    assert tell_together() == 1
    assert [Alert.objects.filter(event_id=each.pk).count() for each in digests()] == [1, 1]


def test_alerts_are_told_one_by_one_again_when_the_hour_is_over(tenant: Tenant) -> None:
    make_storm(tenant, MOST_ALONE)
    raise_alerts()
    FailureGroup.unscoped.update(first_seen_at=timezone.now() - timedelta(minutes=62))
    told_minutes_ago(61)
    make_group(tenant)
    assert raise_alerts() == 1
    assert len(told()) == MOST_ALONE + 1


def test_storm_of_one_rule_holds_no_other_back(tenant: Tenant) -> None:
    make_storm(tenant, MOST_ALONE + 1)
    raise_alerts()
    make_rule(name="another", tenant=(other := make_tenant()))
    make_group(other)
    raise_alerts()
    assert Event.unscoped.filter(tenant=other).count() == 1


@pytest.mark.django_db(transaction=True)
def test_five_sweepers_at_once_send_one_digest() -> None:
    make_storm(make_tenant(), MOST_ALONE + 3)
    raise_alerts()
    told_minutes_ago(6)
    assert sum(at_once(5, tell_together)) == 1
    assert Event.unscoped.count() == MOST_ALONE + 1


# --- However often, and whatever happens --------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_five_sweepers_at_once_tell_once() -> None:
    make_rule()
    make_group(make_tenant())
    assert sum(at_once(5, raise_alerts)) == 1
    assert Event.unscoped.count() == 1


def test_alert_that_is_undone_is_told_by_the_next_sweep(tenant: Tenant) -> None:
    make_rule()
    make_group(tenant)
    with transaction.atomic():
        raise_alerts()
        transaction.set_rollback(True)
    assert not told()
    assert raise_alerts() == 1


def test_sweep_tells(tenant: Tenant) -> None:
    make_rule()
    make_group(tenant)
    sweep()
    assert len(told()) == 1


def test_what_was_told_long_ago_is_forgotten(tenant: Tenant) -> None:
    make_rule()
    make_group(tenant)
    raise_alerts()
    assert forget_old_alerts() == 0
    Alert.objects.update(id=first_uuid7_of(timezone.now(), timedelta(days=-91)))
    assert forget_old_alerts() == 1
