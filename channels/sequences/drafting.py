"""From what was decided to messages: what is written, in which thread, and what a refusal means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from channels.models import Channel, Message, MessageType
from channels.sequences.courses import Course
from channels.sequences.decisions import Block, Decision, Ending, Finish, Obstacle, Prepare, Send
from channels.sequences.facts import PURPOSE
from channels.sequences.plans import Variant
from channels.sequences.records import Records
from channels.services.queueing import MessageDraft, Refusal
from channels.templating import Filled

# Refusals by their codes: what ends a sequence, and what somebody has to mend. All of them were
# asked for before, so they are as rare as what changes within a moment.
ENDINGS = {
    "no_lead": Ending.LEAD_DELETED,
    "opted_out": Ending.OPTED_OUT,
    "bounced": Ending.BOUNCED,
}
OBSTACLES = {
    "no_address": Obstacle.NO_ADDRESS,
    "no_account": Obstacle.NO_ACCOUNT,
    "no_basis": Obstacle.NO_BASIS,
    "window_closed": Obstacle.WINDOW,
}


def drafts_of(courses: Sequence[Course], records: Records) -> list[MessageDraft]:
    """What is to be written to those whose courses end with that, in their order."""
    threads = _threads_of(courses, records)
    return [_draft_of(course, records, threads) for course in courses]


def decision_after(refusal: Refusal, refused: Send | Prepare) -> Decision:
    """What happens to somebody whose message was refused."""
    if refusal.code in ENDINGS:
        return Finish(ENDINGS[refusal.code])
    if refusal.code in OBSTACLES:
        return Block(OBSTACLES[refusal.code], (refused.step.channel,))
    return Block(Obstacle.REFUSED, tuple(refusal.error.messages))


def _draft_of(course: Course, records: Records, threads: Mapping[UUID, Message]) -> MessageDraft:
    row, action = course.row, course.end
    assert isinstance(action, (Send, Prepare))
    channel = action.step.channel
    answers = threads.get(row.pk)
    document = records.published[row.version_id].document
    return MessageDraft(
        lead=records.leads[row.lead_id],
        channel=channel,
        body=action.body.text,
        subject=action.subject.text if isinstance(action, Send) else "",
        account=records.account_for(row, channel),
        author=records.sender_of(row),
        purpose=PURPOSE,
        answers=answers,
        is_new_thread=channel == Channel.EMAIL and answers is None,
        unless_answered_since=row.enrolled_at if course.plan.rules.on_reply else None,
        not_after=action.not_after if isinstance(action, Send) else None,
        tracks=document.is_tracked,
        **_vendor_template(action.variant, action.body, records),
    )


def _vendor_template(variant: Variant, body: Filled, records: Records) -> dict[str, Any]:
    """What goes out as a text that a vendor has approved; see `channels.services.templates`."""
    if variant.template is None:
        return {}
    return {
        "message_type": MessageType.TEMPLATE,
        "template": records.templates.get(variant.template),
        "details": {
            "name": variant.template.name,
            "language": variant.template.language,
            "variables": list(body.values),
        },
    }


def _threads_of(courses: Iterable[Course], records: Records) -> dict[UUID, Message]:
    """The mail that each goes on from, by enrolment: the last one that the sequence has sent."""
    last = {
        course.row.pk: message_id
        for course in courses
        if (message_id := _last_mail(course, records))
    }
    rows = Message.objects.only("tenant", "lead", "channel", "subject")
    messages = rows.in_bulk(set(last.values())) if last else {}
    return {pk: messages[message_id] for pk, message_id in last.items() if message_id in messages}


def _last_mail(course: Course, records: Records) -> UUID | None:
    action = course.end
    if not isinstance(action, Send) or action.step.is_new_thread:
        return None
    done = records.done.get(course.row.pk, ())
    mails = [each for each in done if each.channel == Channel.EMAIL and each.message_id]
    # Nobody knows whether one arrived that was not sent: but better there than nowhere.
    ranked = sorted(mails, key=lambda each: (each.sent_at is not None, each.executed_at))
    is_mail = action.step.channel == Channel.EMAIL
    return ranked[-1].message_id if ranked and is_mail else None
