"""Statistics: what came of steps and texts, and what may be said of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from channels.sequences.documents import Document, MessageStep, Variant, WaitStep
from channels.sequences.models import Execution, Sequence
from channels.sequences.publishing import publish_version
from channels.sequences.significance import Finding
from channels.sequences.statistics import sent_and_replied, statistics_of
from channels.sequences.versions import edit_draft
from salesflow.accounts.context import tenant_context
from tests.factories import make_tenant
from tests.sequences.engine.factories import days, enrol_one, mail, make_sequence

pytestmark = pytest.mark.usefixtures("tenant")

NOW = datetime(2026, 11, 23, 11, tzinfo=UTC)
OLD, FRESH = NOW - timedelta(days=10), NOW - timedelta(days=2)


def both(weights: tuple[int, int] = (1, 1), text: str = "Hello") -> MessageStep:
    """A step with two texts."""
    variants = tuple(
        Variant(label=label, subject="Hi", body=f"{text} {label}", weight=weight)
        for label, weight in zip("AB", weights, strict=True)
    )
    return MessageStep(variants=variants)


def note(
    sequence: Sequence, step: Any, variant: str = "A", sent: datetime | None = OLD, **at: Any
) -> Execution:
    """A step that was executed for somebody new."""
    enrolment = enrol_one(sequence)
    version = at.pop("version", 1)
    made: Execution = Execution.objects.create(
        enrolment=enrolment,
        sequence=sequence,
        version=version,
        step=step.key,
        number=1,
        kind=step.kind,
        variant=variant,
        outcome="queued",
        executed_at=sent or NOW,
        sent_at=sent,
        **at,
    )
    return made


def test_each_step_counts_how_far_its_messages_came() -> None:
    first, wait, second = mail(), days(1), mail("More", "")
    sequence = make_sequence(first, wait, second)
    note(sequence, first, delivered_at=OLD, replied_at=OLD)
    note(sequence, first, opened_at=OLD, clicked_at=OLD, won_at=OLD)
    note(sequence, first, sent=None, failed_at=NOW)
    note(sequence, second, unsubscribed_at=OLD, bounced_at=OLD)
    found = statistics_of(sequence, at=NOW)
    one, two, three = found.steps
    assert (one.counts.executed, one.counts.sent, one.counts.delivered) == (3, 2, 1)
    assert (one.counts.replied, one.counts.won, one.counts.failed) == (1, 1, 1)
    assert (one.counts.opened, one.counts.clicked) == (1, 1)
    assert isinstance(two.step, WaitStep)
    assert (two.counts.executed, two.variants) == (0, ())
    assert (three.counts.unsubscribed, three.counts.bounced) == (1, 1)
    assert (found.total.sent, found.total.replied) == (3, 1)
    assert found.people == {"active": 4, "paused": 0, "finished": 0}
    assert one.counts.share("replied") == 0.5
    assert three.counts.share("replied") == 0
    assert two.counts.share("replied") is None


def test_opens_are_shares_of_those_of_whom_they_would_be_known() -> None:
    first, second = mail(), mail("More")
    sequence = make_sequence(first, second)
    note(sequence, first, tracked_at=OLD, opened_at=OLD)
    note(sequence, first, tracked_at=OLD)
    for _untracked in range(3):
        note(sequence, first, replied_at=OLD)
    note(sequence, second)
    one, two = statistics_of(sequence, at=NOW).steps
    assert (one.counts.sent, one.counts.tracked) == (5, 2)
    assert (one.counts.share("opened"), one.counts.share("clicked")) == (0.5, 0)
    assert one.counts.share("replied") == 0.6
    assert two.counts.share("opened") is None


def test_reply_after_the_end_counts() -> None:
    step = mail()
    sequence = make_sequence(step)
    made = note(sequence, step, replied_at=NOW)
    made.enrolment.state, made.enrolment.reason = "finished", "finished"
    made.enrolment.finished_at, made.enrolment.next_step_at = OLD, None
    made.enrolment.save()
    found = statistics_of(sequence, at=NOW)
    assert found.total.replied == 1
    assert found.finished == {"finished": 1}


def test_variants_are_told_apart_and_nothing_is_said_too_early() -> None:
    step = both()
    sequence = make_sequence(step, decide_at=20)
    for variant, replied in (("A", OLD), ("A", None), ("B", None)):
        note(sequence, step, variant, replied_at=replied)
    [figures] = statistics_of(sequence, at=NOW).steps
    assert [(v.label, v.counts.sent, v.counts.replied) for v in figures.variants] == [
        ("A", 2, 1),
        ("B", 1, 0),
    ]
    assert figures.verdict
    assert figures.verdict.finding == Finding.TOO_EARLY
    assert "A 1 of 2, B 0 of 1" in figures.verdict.text
    assert figures.warning is None


def test_messages_that_may_still_be_answered_are_left_out_of_the_comparison() -> None:
    step = both()
    sequence = make_sequence(step, decide_at=20)
    note(sequence, step, "A", replied_at=OLD)
    note(sequence, step, "A", sent=FRESH)
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.verdict
    assert "A 1 of 1" in figures.verdict.text
    assert figures.variants[0].counts.sent == 2


def test_decision_is_taken_on_the_first_so_many() -> None:
    step = both()
    sequence = make_sequence(step, decide_at=20)
    enrolment = enrol_one(sequence)
    rows = [
        Execution(
            tenant=enrolment.tenant,
            enrolment=enrol_one(sequence),
            sequence=sequence,
            version=1,
            step=step.key,
            number=1,
            kind="message",
            variant=variant,
            outcome="queued",
            executed_at=OLD,
            sent_at=OLD + timedelta(minutes=number),
            # All of B's first twenty, and none of A's; what comes later is turned round.
            replied_at=OLD + timedelta(days=1) if (variant == "B") == (number < 20) else None,
        )
        for variant in "AB"
        for number in range(25)
    ]
    Execution.objects.bulk_create(rows)
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.verdict
    assert (figures.verdict.finding, figures.verdict.winner) == (Finding.WINNER, "B")
    assert "B 20 of 20" in figures.verdict.text


def test_answers_that_come_later_do_not_change_what_was_decided() -> None:
    step = both()
    sequence = make_sequence(step, decide_at=20)
    sent = NOW - timedelta(days=20)
    note(sequence, step, "A", sent, replied_at=sent + timedelta(days=7))
    note(sequence, step, "A", sent, replied_at=sent + timedelta(days=7, minutes=1))
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.verdict
    assert "A 1 of 2" in figures.verdict.text
    assert figures.counts.replied == 2


def test_variant_that_nobody_gets_any_more_keeps_nothing_waiting() -> None:
    step = both(weights=(1, 0))
    sequence = make_sequence(step, decide_at=20)
    note(sequence, step, "A")
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.verdict
    assert figures.verdict.finding == Finding.NOTHING_TO_COMPARE


def test_comparison_begins_anew_where_another_number_is_to_decide() -> None:
    step = both()
    sequence = make_sequence(step, decide_at=20)
    note(sequence, step, "A")
    edit_draft(sequence, lambda document: document.model_copy(update={"decide_at": 30}))
    publish_version(sequence)
    note(sequence, step, "A", version=2)
    [figures] = statistics_of(sequence, at=NOW).steps
    assert (figures.since, figures.counts.sent) == (2, 2)
    assert figures.verdict
    assert "A 0 of 1" in figures.verdict.text


def test_texts_are_compared_since_they_read_the_same() -> None:
    old, new = both(text="Old"), both(text="New")
    new = new.model_copy(update={"key": old.key})
    sequence = make_sequence(old, decide_at=20)

    def rewrite(document: Document) -> Document:
        return document.model_copy(update={"steps": (new,)})

    note(sequence, old, "A", replied_at=OLD)
    edit_draft(sequence, rewrite)
    publish_version(sequence)
    note(sequence, new, "A", version=2)
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.since == 2
    assert figures.counts.sent == 2
    assert figures.variants[0].counts.sent == 1
    assert figures.verdict
    assert "A 0 of 1" in figures.verdict.text


def test_split_that_is_off_is_told() -> None:
    step = both()
    sequence = make_sequence(step)
    for _ in range(30):
        note(sequence, step, "A")
    [figures] = statistics_of(sequence, at=NOW).steps
    assert figures.warning
    assert figures.warning.finding == Finding.SPLIT_IS_OFF


def test_figures_take_the_same_queries_whatever_was_sent(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    steps = [both() for _ in range(4)]
    sequence = make_sequence(*steps)
    for step in steps:
        note(sequence, step, "A")
        note(sequence, step, "B")
    with django_assert_max_num_queries(4):
        statistics_of(sequence, at=NOW)


def test_another_sequence_and_another_team_count_for_nothing() -> None:
    step = mail()
    sequence = make_sequence(step)
    note(make_sequence(step), step)
    with tenant_context(make_tenant()):
        note(make_sequence(step), step)
    assert statistics_of(sequence, at=NOW).total.sent == 0
    assert sent_and_replied(sequence) == {}


def test_steps_tell_what_they_sent() -> None:
    step, silent = mail(), days(1)
    sequence = make_sequence(step, silent)
    note(sequence, step, replied_at=OLD)
    note(sequence, silent, "", None)
    assert sent_and_replied(sequence) == {step.key: ("1", "1")}
