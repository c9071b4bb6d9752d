"""What the engine decides, in words: why it waits, for whom, and why it has ended."""

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.models import Channel
from channels.sequences.decisions import (
    Block,
    Decision,
    Delay,
    Ending,
    Finish,
    Later,
    Obstacle,
    Park,
    Pause,
)
from channels.sequences.models import Enrolment, Sequence, Waiting
from channels.sequences.payloads import ARCHIVED, NOT_ENROLLED
from channels.sequences.refusing import Refusal
from channels.variables import names_in_words

ENDINGS: Mapping[str, str | Promise] = {
    Ending.REPLIED: gettext_lazy("they replied"),
    Ending.INBOUND: gettext_lazy("they wrote"),
    Ending.MEETING: gettext_lazy("a meeting was booked"),
    Ending.BOUNCED: gettext_lazy("the address bounced"),
    Ending.OPTED_OUT: gettext_lazy("they opted out"),
    Ending.WON: gettext_lazy("the deal was won"),
    Ending.LOST: gettext_lazy("the deal was lost"),
    Ending.MERGED: gettext_lazy("the lead was merged with another one"),
    Ending.LEAD_DELETED: gettext_lazy("the lead was deleted"),
    Ending.COMPANY_REPLIED: gettext_lazy("a colleague of theirs replied"),
    Ending.FINISHED: gettext_lazy("all steps are done"),
    Ending.BY_HAND: gettext_lazy("somebody took them out"),
    Ending.FAILED: gettext_lazy("a message could not be sent"),
}
DELAYS: Mapping[str, str | Promise] = {
    Delay.CLOSED: gettext_lazy("outside their working hours"),
    Delay.ACCOUNT_STOPPED: gettext_lazy("the account is stopped"),
    Delay.ACCOUNT_DEAF: gettext_lazy("answers to the account cannot be read now"),
    Delay.CAP: gettext_lazy("as many as may go out today are on their way"),
    Delay.CONDITION: gettext_lazy("the condition may still come true"),
    Delay.HELD: gettext_lazy("the sequence is paused"),
}
OBSTACLES: Mapping[str, str | Promise] = {
    Obstacle.NEVER_OPENS: gettext_lazy("the calendar has no working hours"),
    Obstacle.NO_ACCOUNT: gettext_lazy("no account is connected for {names}"),
    Obstacle.NO_ADDRESS: gettext_lazy("the lead has no address for {names}"),
    Obstacle.NO_BASIS: gettext_lazy("no lawful basis is recorded for {names}"),
    Obstacle.MISSING: gettext_lazy("nothing is known for {names}"),
    Obstacle.TEMPLATE: gettext_lazy("WhatsApp has not approved the template {names}"),
    Obstacle.WINDOW: gettext_lazy("they have not written within 24 hours: it needs a template"),
    Obstacle.REFUSED: gettext_lazy("the message was refused: {names}"),
    Obstacle.BROKEN: gettext_lazy(
        "a fault in SalesFlow keeps the step from being done: it is tried again every hour, "
        "and your administrator can see what is wrong"
    ),
}
OF_CHANNELS = (Obstacle.NO_ACCOUNT, Obstacle.NO_ADDRESS, Obstacle.NO_BASIS)
# As `Refusal` says it of one.
REFUSED: Mapping[Refusal, str | Promise] = {
    Refusal.GONE: gettext_lazy("are not there any more"),
    Refusal.CLOSED: gettext_lazy("are won or lost"),
    Refusal.ALREADY: gettext_lazy("are in it already"),
    Refusal.BEFORE: gettext_lazy("were in it before"),
    Refusal.TOO_SOON: gettext_lazy("were in it not long ago"),
    Refusal.NO_ADDRESS: gettext_lazy("have no address that it writes to"),
    Refusal.BROKEN: gettext_lazy("were kept out by a fault in SalesFlow"),
    Refusal.UNWANTED: gettext_lazy("have opted out, or bounced"),
}
TONES = {
    Sequence.State.DRAFT: "",
    Sequence.State.ACTIVE: "good",
    Sequence.State.PAUSED: "warn",
    Sequence.State.ARCHIVED: "",
}


def refusal_in_words(refusal: Refusal, count: int = 1) -> str:
    """Why so many leads do not come in, said of them."""
    return str(refusal.label if count == 1 else REFUSED[refusal])


def ending_in_words(reason: str) -> str:
    """Why somebody left a sequence."""
    return str(ENDINGS.get(reason, reason))


def delay_in_words(reason: str) -> str:
    """Why a step that is due is executed later."""
    return str(DELAYS.get(reason, reason))


def obstacle_in_words(reason: str, names: Iterable[str]) -> str:
    """What stands in the way; see `payloads.SequenceBlocked`."""
    if reason == NOT_ENROLLED:
        return " ".join(map(_code_in_words, names))
    sentence = str(OBSTACLES.get(reason, reason))
    if reason in OF_CHANNELS:
        told = ", ".join(str(Channel(name).label) for name in names if name in Channel.values)
    elif reason == Obstacle.REFUSED:
        # It was said elsewhere, in sentences.
        told = " ".join(names)
    else:
        told = names_in_words(names)
    return sentence.replace("{names}", told)


def _code_in_words(code: str) -> str:
    if code == ARCHIVED:
        return _("it is archived: nobody comes in any more")
    why = refusal_in_words(Refusal(code)) if code in Refusal.values else code
    return _("the lead %(why)s") % {"why": why}


def decision_in_words(decision: Decision) -> str:
    """What stands against a planned step; empty where nothing does."""
    match decision:
        case Finish(reason=reason):
            return _("it would end here: {reason}").format(reason=ending_in_words(reason))
        case Block(why=why, names=names):
            return obstacle_in_words(why, names)
        case Later(why=why, says=says):
            return says or delay_in_words(why)
        case Pause():
            return _("they are away")
        case Park():
            return _("the sequence is paused")
        case _:
            return ""


def standing_in_words(row: Enrolment) -> str:
    """Where somebody is in a sequence, and what it waits for."""
    if row.state == Enrolment.State.FINISHED:
        return ending_in_words(row.reason)
    if row.state == Enrolment.State.PAUSED:
        return _("they are away") if row.reason == "away" else _("paused by hand")
    match row.waiting_for:
        case Waiting.PERSON:
            return obstacle_in_words(row.obstacle, row.obstacle_names)
        case Waiting.MESSAGE:
            return _("a message is on its way")
        case Waiting.TASK:
            return _("waits for a task")
        case _:
            return row.says or (delay_in_words(row.delay) if row.delay else "")
