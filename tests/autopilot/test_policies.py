"""Rules: the closest one counts, limits are the team's, and nobody raises what they may not."""

from datetime import time
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from pytest_django import DjangoAssertNumQueries

from channels.autopilot.limits import Limits
from channels.autopilot.models import Mode, Policy
from channels.autopilot.policies import (
    Actions,
    forget_rule,
    hold,
    rule_of,
    rule_of_tenant,
    rules_of,
    save_rule,
    set_mode,
)
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.stage import set_rule
from tests.channels.inbox_factories import make_conversation
from tests.factories import make_tenant, make_user


def test_without_a_rule_it_is_off(tenant: Tenant) -> None:
    rule = rule_of(make_conversation())
    assert (rule.mode, rule.origin, rule.is_on) == (Mode.OFF, "", False)


def test_closest_rule_counts(tenant: Tenant) -> None:
    conversation, user = make_conversation(), make_user(tenant)
    set_rule(Mode.DRAFT, per_day=1)
    assert (rule_of(conversation).mode, rule_of(conversation).origin) == (Mode.DRAFT, "tenant")
    set_rule(Mode.AUTO, "email", per_day=2)
    rule = rule_of(conversation)
    assert (rule.mode, rule.origin, rule.limits.per_day) == (Mode.AUTO, "channel", 2)
    assert rule_of_tenant("whatsapp").limits.per_day == 1
    set_mode(conversation, Mode.OFF, actor=user, is_leading=False)
    rule = rule_of(conversation)
    assert (rule.mode, rule.origin, rule.base) == (Mode.OFF, "conversation", Mode.AUTO)
    assert rule.limits.per_day == 2
    set_mode(conversation, "", actor=user, is_leading=False)
    assert rule_of(conversation).origin == "channel"
    forget_rule("email")
    assert rule_of(conversation).mode == Mode.DRAFT


def test_rep_leaves_it_less_and_never_more(tenant: Tenant) -> None:
    conversation, user = make_conversation(), make_user(tenant)
    set_rule(Mode.APPROVE)
    with pytest.raises(PermissionDenied):
        set_mode(conversation, Mode.AUTO, actor=user, is_leading=False)
    # Not in two steps either.
    set_mode(conversation, Mode.DRAFT, actor=user, is_leading=False)
    set_mode(conversation, Mode.APPROVE, actor=user, is_leading=False)
    with pytest.raises(PermissionDenied):
        set_mode(conversation, Mode.AUTO, actor=user, is_leading=False)
    set_mode(conversation, Mode.AUTO, actor=user, is_leading=True)
    assert rule_of(conversation).mode == Mode.AUTO


def test_what_a_manager_has_said_is_a_ceiling_for_reps(tenant: Tenant) -> None:
    conversation, rep = make_conversation(), make_user(tenant)
    set_rule(Mode.AUTO)
    set_mode(conversation, Mode.APPROVE, actor=make_user(tenant), is_leading=True)
    with pytest.raises(PermissionDenied, match="may leave it more"):
        set_mode(conversation, Mode.AUTO, actor=rep, is_leading=False)
    # Not by way of the rules, nor after having left it less.
    set_mode(conversation, Mode.OFF, actor=rep, is_leading=False)
    with pytest.raises(PermissionDenied, match="take back what one of them has said"):
        set_mode(conversation, "", actor=rep, is_leading=False)
    assert rule_of(conversation).mode == Mode.OFF
    set_mode(conversation, Mode.APPROVE, actor=rep, is_leading=False)
    assert (rule_of(conversation).mode, rule_of(conversation).most) == (Mode.APPROVE,) * 2
    set_mode(conversation, "", actor=make_user(tenant), is_leading=True)
    assert rule_of(conversation).mode == Mode.AUTO


def test_manager_may_leave_a_conversation_more_than_the_team(tenant: Tenant) -> None:
    conversation, rep = make_conversation(), make_user(tenant)
    set_rule(Mode.DRAFT)
    set_mode(conversation, Mode.AUTO, actor=make_user(tenant), is_leading=True)
    set_mode(conversation, Mode.OFF, actor=rep, is_leading=False)
    set_mode(conversation, Mode.AUTO, actor=rep, is_leading=False)
    assert rule_of(conversation).mode == Mode.AUTO


def test_what_a_rep_has_said_is_never_more_than_the_rules_are_now(tenant: Tenant) -> None:
    conversation = make_conversation()
    set_rule(Mode.AUTO)
    set_mode(conversation, Mode.AUTO, actor=make_user(tenant), is_leading=False)
    set_rule(Mode.DRAFT)
    assert rule_of(conversation).mode == Mode.DRAFT


def test_brake_holds_everything_and_keeps_the_rules(tenant: Tenant) -> None:
    conversation = make_conversation()
    set_rule(Mode.AUTO, qualifies=True)
    hold(is_held=True, actor=None)
    assert not rule_of(conversation).is_on
    hold(is_held=False, actor=None)
    assert rule_of(conversation).is_on
    assert rule_of_tenant().actions == Actions(qualifies=True)


def test_tenants_do_not_share_rules(tenant: Tenant) -> None:
    set_rule(Mode.AUTO)
    with tenant_context(make_tenant()):
        assert rule_of(make_conversation()).mode == Mode.OFF


def test_many_rules_are_one_query(
    tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversations = [make_conversation() for _number in range(5)]
    set_rule(Mode.DRAFT)
    with django_assert_num_queries(1):
        rules_of(conversations)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("mode", {"mode": "always"}),
        ("channel", {"channel": "fax"}),
        ("criteria", {"criteria": "\n".join("x" * 13)}),
        ("criteria", {"criteria": "x" * 201}),
        ("criteria", {"criteria": "a\x00b"}),
    ],
)
def test_wrong_rule_is_named(tenant: Tenant, field: str, given: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"mode": Mode.DRAFT, "limits": Limits(), "actor": None} | given
    with pytest.raises(ValidationError) as caught:
        save_rule(**whole)
    assert list(caught.value.error_dict) == [field]
    assert not Policy.objects.exists()


def test_hours_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ValueError, match="begin before"):
        Limits(opens=time(17), closes=time(9))
    with pytest.raises(ValueError, match="days 0 to 6"):
        Limits(weekdays=frozenset({7}))
