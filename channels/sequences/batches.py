"""A batch: people of one tenant whose next step is due, and what becomes of each of them.

As many statements whatever their number. The caller holds the enrolments, their leads and the
transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, assert_never
from uuid import UUID

from django.core.exceptions import ValidationError

from channels.models import Channel, MessageStatus
from channels.sequences import moving
from channels.sequences.courses import Course, channel_of, step_after
from channels.sequences.decisions import (
    Action,
    AddTask,
    Block,
    Decision,
    Finish,
    Later,
    Park,
    Pass,
    Pause,
    Prepare,
    Rest,
    Send,
    Turn,
)
from channels.sequences.drafting import decision_after, drafts_of
from channels.sequences.facts import Teller, is_open_again, state_of
from channels.sequences.models import Enrolment, Execution, Waiting
from channels.sequences.payloads import (
    SequenceBlocked,
    SequenceFinished,
    SequencePaused,
    SequenceStepExecuted,
)
from channels.sequences.plans import MessageStep
from channels.sequences.quotas import Caps, Ledger
from channels.sequences.reading import read_records
from channels.sequences.records import Records
from channels.services.queueing import Refusal, queue_messages
from events.payloads import Payload
from events.publishing import Draft, publish_silently
from events.rows import copy_models, execute
from leads.models import Lead
from leads.services.tasks import LONGEST_BODY, LONGEST_TITLE, TaskDraft, add_tasks

Outcome = Execution.Outcome

# What was withdrawn unsent is written anew, and its row tells of the new one.
RENEW = """
    UPDATE sequences_execution
    SET message_id = given.message, executed_at = %(now)s, renewed = renewed + 1
    FROM unnest(%(ids)b::uuid[], %(messages)b::uuid[]) AS given (id, message)
    WHERE sequences_execution.id = given.id
"""


@dataclass
class Batch:
    """See the module.

    Attributes:
        renewed: rows of executed steps that get another message.
        payloads: of what happened, in order.
    """

    now: datetime
    rows: Sequence[Enrolment]
    records: Records
    teller: Teller
    ledger: Ledger
    renewed: dict[UUID, UUID] = field(default_factory=dict)
    payloads: list[Payload] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Sequence[Enrolment], leads: Mapping[UUID, Lead], now: datetime) -> Self:
        """A batch with all that is to be known of these people, and with their quotas held.

        Args:
            leads: theirs, and perhaps others, held by the caller; nobody is in a sequence that is
                paused.
        """
        own = {row.lead_id: leads[row.lead_id] for row in rows}
        records = read_records(rows, now, leads=own, held=frozenset())
        teller = Teller(records)
        teller.ledger = Ledger.held(teller.keys(rows), records.zone, now)
        return cls(now, rows, records, teller, teller.ledger)

    def execute(self) -> None:
        """Decide for everybody, act, and write what came of it."""
        courses = [self._follow(row) for row in self.rows]
        self._write_messages([each for each in courses if channel_of(each.end)])
        self._add_tasks(courses)
        done = [new for course in courses for new in self._executions_of(course)]
        if done:
            copy_models(done)
        if self.renewed:
            ids, messages = list(self.renewed), list(self.renewed.values())
            execute(RENEW, {"now": self.now, "ids": ids, "messages": messages})
        for course in courses:
            self._move(course)
        moving.save_enrolments(self.rows)
        self.ledger.save()
        publish_silently(Draft(payload, self.now) for payload in self.payloads)

    # --- Deciding -------------------------------------------------------------------------------

    def _follow(self, row: Enrolment) -> Course:
        course = Course(
            row,
            self.records.published[row.version_id].plan,
            self.teller.facts(row),
            state_of(row, self.records.done.get(row.pk, ())),
        )
        course.follow(self.now, self._note_places)
        return course

    def _note_places(self, course: Course, decision: Decision) -> None:
        """Count what a decision takes of the caps, and what it gives back."""
        given, taken = _places_of(course, decision)
        caps = self._caps_of(course) if given or taken else None
        if caps is None:
            return
        if given:
            self.ledger.give_back(caps, given, course.facts.calendar, course.facts.zone)
        if isinstance(decision, (Send, Later)) and decision.place:
            self.ledger.take(caps, decision.place)

    def _caps_of(self, course: Course) -> Caps | None:
        """The caps that hold for the step that comes next."""
        channel = self._channel_of_next(course)
        return self.teller.caps(course.row, channel) if channel else None

    # --- Acting ---------------------------------------------------------------------------------

    def _write_messages(self, courses: Sequence[Course]) -> None:
        if not courses:
            return
        outcomes = queue_messages(drafts_of(courses, self.records), holds_leads=True)
        for course, outcome in zip(courses, outcomes, strict=True):
            assert isinstance(course.end, (Send, Prepare))
            if isinstance(outcome, Refusal):
                self._give_way(course)
                course.end = decision_after(outcome, course.end)
            else:
                course.write(outcome)

    def _give_way(self, course: Course) -> None:
        """What was counted for a message that is not written does not count."""
        assert course.state.step
        counted = course.end.place.at if isinstance(course.end, Send) and course.end.place else None
        at, caps = counted or course.state.place, self._caps_of(course)
        if at and caps:
            self.ledger.count(caps.keys, at.astimezone(self.ledger.zone).date(), -1)

    def _add_tasks(self, courses: Sequence[Course]) -> None:
        asked = [
            (course, action)
            for course in courses
            for action in course.steps
            if isinstance(action, AddTask)
        ]
        if not asked:
            return
        outcomes = add_tasks([self._task_of(course.row, action) for course, action in asked])
        for (course, action), outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, ValidationError):
                raise outcome
            course.tasks[action.step.key] = outcome.pk

    def _task_of(self, row: Enrolment, action: AddTask) -> TaskDraft:
        return TaskDraft(
            lead=self.records.leads[row.lead_id],
            title=action.title.text[:LONGEST_TITLE],
            body=action.body.text[:LONGEST_BODY],
            kind=action.step.task_kind,
            due_at=action.due_at,
            assignee=self.records.sender_of(row),
            source="sequence",
            source_id=f"{row.pk}:{action.step.key}",
        )

    # --- Writing --------------------------------------------------------------------------------

    def _executions_of(self, course: Course) -> Iterator[Execution]:
        """The rows of what was executed; one that was executed before has its row."""
        done = self.records.done.get(course.row.pk, ())
        known = {each.step: each.pk for each in done if is_open_again(each)}
        for action in course.steps:
            if action.step.key in known and course.message:
                self.renewed[known[action.step.key]] = course.message.pk
            else:
                yield self._execution_of(course, action)

    def _execution_of(self, course: Course, action: Action) -> Execution:
        row, step = course.row, action.step
        return Execution(
            tenant_id=row.tenant_id,
            enrolment_id=row.pk,
            sequence_id=row.sequence_id,
            version=course.plan.number,
            step=step.key,
            number=step.number,
            kind=step.kind.value,
            variant=_variant_of(action),
            channel=channel_of(action),
            outcome=_outcome_of(course, action).value,
            next=step_after(action),
            message_id=course.message.pk if course.message and channel_of(action) else None,
            task_id=course.tasks.get(step.key),
            executed_at=self.now,
        )

    def _move(self, course: Course) -> None:
        """Put somebody where their course ends, and say what happened."""
        row, state = course.row, course.state_after(self.now)
        self._note_whereabouts(course)
        self.payloads += [self._step_executed(course, action) for action in course.steps]
        if course.steps:
            again = {each.step for each in self.records.done.get(row.pk, ())}
            fresh = [each for each in course.steps if each.step.key not in again]
            moving.count_steps(row, len(fresh), self.now)
        row.step, row.since = state.step, state.since
        row.place_at, row.remaining = state.place, state.left
        match course.end:
            case Send() | Prepare():
                assert course.message
                moving.wait_for(row, Waiting.MESSAGE, course.message.pk)
            case AddTask():
                moving.wait_for(row, Waiting.TASK, course.tasks[course.end.step.key])
            case Rest():
                moving.fall_due(row, course.end.until)
            case _:
                self._leave(course, course.end)

    def _leave(self, course: Course, end: Decision) -> None:
        """Nothing is done for somebody now."""
        row, about = course.row, moving.about(course.row, course.plan)
        match end:
            case Finish():
                moving.finish(row, end.reason, self.now)
                ended = {"reason": end.reason.value, "steps": row.steps_done}
                self.payloads.append(SequenceFinished(**about, **ended))
            case Pause():
                moving.pause(row, end.until)
                self.payloads.append(SequencePaused(**about, reason=moving.AWAY, until=end.until))
            case Later():
                moving.delay(row, end)
            case Block():
                if moving.block(row, end):
                    names = {"reason": end.why.value, "names": list(end.names)}
                    self.payloads.append(SequenceBlocked(**about, **names))
            case Park():
                moving.park(row, self.now)
            case _:
                raise AssertionError(f"{end} is followed, or waited for.")

    def _note_whereabouts(self, course: Course) -> None:
        """Keep where somebody lives, for their page; and from where mails come, for ever."""
        row, lead = course.row, self.records.leads[course.row.lead_id]
        where = self.teller.whereabouts(lead)
        row.time_zone, row.zone_source = where.zone.key, where.source.value
        is_given = isinstance(course.end, Later) and course.end.place is not None
        writes = isinstance(course.end, Send) or is_given
        if writes and row.account_id is None and self._channel_of_next(course) == Channel.EMAIL:
            account = self.records.account_for(row, Channel.EMAIL)
            row.account_id = account.pk if account else None

    def _channel_of_next(self, course: Course) -> str:
        step = course.plan.step(course.state.step) if course.state.step else None
        return step.channel if isinstance(step, MessageStep) else ""

    def _step_executed(self, course: Course, action: Action) -> SequenceStepExecuted:
        is_written = channel_of(action) and course.message is not None
        return SequenceStepExecuted(
            **moving.about(course.row, course.plan),
            step=action.step.number,
            channel=channel_of(action),
            message_id=course.message.pk if is_written and course.message else None,
            task_id=course.tasks.get(action.step.key),
            step_key=action.step.key,
            kind=action.step.kind.value,
            variant=_variant_of(action),
            outcome=_outcome_of(course, action).value,
            branch=action.holds if isinstance(action, Turn) else None,
        )


def _places_of(course: Course, decision: Decision) -> tuple[datetime | None, bool]:
    """The place that is given back, and whether one is taken."""
    match decision:
        case Send() | Later():
            return decision.gives_back, decision.place is not None
        case Finish() | Block() | Pass() | Pause():
            return course.state.place, False
        case _:
            return None, False


def _variant_of(action: Action) -> str:
    return action.variant.label if isinstance(action, (Send, Prepare)) else ""


def _outcome_of(course: Course, action: Action) -> Execution.Outcome:
    match action:
        case Send() | Prepare():
            assert course.message
            is_prepared = course.message.status == MessageStatus.PREPARED
            return Outcome.PREPARED if is_prepared else Outcome.QUEUED
        case AddTask():
            return Outcome.TASK
        case Rest():
            return Outcome.RESTED
        case Turn():
            return Outcome.TURNED
        case _:
            assert_never(action)
