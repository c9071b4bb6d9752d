"""Lists of failures that are cut: they say so, and begin with what matters."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events.console.health import GROUPS_SHOWN
from events.failures.queries import MOST_LISTED, MOST_TENANTS
from events.models import FailureGroup
from salesflow.accounts.models import Tenant
from tests.events.alert_factories import make_group
from tests.factories import make_tenant
from tests.staff import client_of, make_superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def test_list_of_failures_says_that_there_are_more(tenant: Tenant, root: Client) -> None:
    url = reverse("admin:events_failures")
    for _number in range(MOST_LISTED):
        make_group(tenant)
    whole = root.get(url)
    assert len(whole.context["lines"]) == MOST_LISTED
    assert "These are the first" not in whole.content.decode()
    make_group(tenant)
    cut = root.get(url)
    assert len(cut.context["lines"]) == MOST_LISTED
    assert f"These are the first {MOST_LISTED}." in cut.content.decode()


def test_list_of_tenants_that_are_hit_says_that_there_are_more(
    tenant: Tenant, root: Client
) -> None:
    group = make_group(tenant)
    url = reverse("admin:events_failure", args=[group.fingerprint])
    for _number in range(MOST_TENANTS - 1):
        make_group(make_tenant(), fingerprint=group.fingerprint)
    assert "These are the first" not in root.get(url).content.decode()
    make_group(make_tenant(), fingerprint=group.fingerprint)
    assert f"These are the first {MOST_TENANTS}." in root.get(url).content.decode()


def test_health_page_names_what_is_new_or_came_back_before_what_goes_on_failing(
    tenant: Tenant, root: Client
) -> None:
    now = timezone.now()
    old = now - timedelta(days=9)
    for _number in range(GROUPS_SHOWN):
        make_group(tenant, seen=old, last_seen_at=now)
    an_hour_ago = now - timedelta(hours=1)
    new = make_group(tenant, seen=an_hour_ago)
    back = make_group(tenant, seen=old, reopened_at=an_hour_ago - timedelta(minutes=1))
    FailureGroup.unscoped.filter(pk=back.pk).update(last_seen_at=an_hour_ago)
    shown = root.get(reverse("admin:events_health")).context["failures"]
    fingerprints = [failure.fingerprint for failure, _spark in shown]
    assert len(fingerprints) == GROUPS_SHOWN
    assert fingerprints[:2] == [new.fingerprint, back.fingerprint]
