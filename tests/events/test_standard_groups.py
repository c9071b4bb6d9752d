"""The groups of permissions that are there from the start."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from events.standard_groups import ALL, ON_CALL

pytestmark = pytest.mark.django_db

ON_CALL_MAY = {"view_event", "triage_failuregroup", "replay_event"}


def codenames_of(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def test_groups_are_there_after_migrating() -> None:
    assert codenames_of(ON_CALL) == ON_CALL_MAY
    assert codenames_of(ALL) == {*ON_CALL_MAY, "replay_external", "correct_event"}


def test_migrating_again_keeps_what_people_changed() -> None:
    Group.objects.get(name=ON_CALL).permissions.clear()
    Group.objects.get(name=ALL).delete()
    call_command("migrate", verbosity=0)
    assert codenames_of(ON_CALL) == set()
    assert len(codenames_of(ALL)) == 5
    assert Group.objects.filter(name__startswith="Events: ").count() == 2
