"""Those for whom nothing was done yet begin with the version that is published."""

import pytest

from channels.sequences.models import DayQuota
from channels.sequences.publishing import publish_version
from channels.sequences.versions import edit_draft
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    enrol,
    enrol_one,
    mail,
    make_contact,
    make_sequence,
    sent_to,
    task,
)

pytestmark = pytest.mark.usefixtures("team")


def test_who_is_held_up_at_the_first_step_is_taken_along_and_looked_at(clock: Clock) -> None:
    sequence = make_sequence(mail("At {{ company }}"))
    blocked = enrol_one(sequence)
    clock.run()
    assert again(blocked).waiting_for == "person"
    edit_draft(sequence, lambda document: document.model_copy(update={"steps": (mail("New"),)}))
    publish_version(sequence, takes_along=True)
    clock.run()
    assert sent_to(blocked) == ["New"]


def test_who_waits_for_a_place_gives_it_back_when_taken_along(clock: Clock) -> None:
    sequence = make_sequence(mail("Old"), account_cap=1)
    _sent, waiting = enrol(sequence, make_contact(), make_contact())
    clock.run()
    assert again(waiting).place_at
    edit_draft(sequence, lambda document: document.model_copy(update={"steps": (task("Call"),)}))
    publish_version(sequence, takes_along=True)
    assert again(waiting).place_at is None
    assert sorted(DayQuota.objects.values_list("used", flat=True)) == [0, 1]
    clock.run()
    assert again(waiting).waiting_for == "task"
