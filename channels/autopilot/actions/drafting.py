"""Drafting the reply to what a lead wrote last.

The model gives a text and says what the last message is about. Everything else about the message,
to whom, from where, under which subject, is decided here and not by it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel

from channels.autopilot import deciding, drafts, gates
from channels.autopilot.actions import Prompt, register_action
from channels.autopilot.asking import gives_itself_away, prompt_of
from channels.autopilot.cleaning import Cleaned, clean_draft
from channels.autopilot.completions import Completion
from channels.autopilot.facts import Known, bare, facts_of
from channels.autopilot.grounding import LANGUAGES as CHECKED
from channels.autopilot.grounding import Report, check
from channels.autopilot.languages import UNSURE, is_another, language_of
from channels.autopilot.limits import Topic
from channels.autopilot.models import ActionType, Draft, Run
from channels.autopilot.outcomes import Ended, Outcome
from channels.autopilot.outdating import account_for, is_answered, last_inbound
from channels.autopilot.policies import Rule, rule_of
from channels.health import hears
from channels.models import Conversation, Message
from salesflow.accounts.context import current_tenant

LONGEST_REPLY = 600
# Longer ones are cut by sentences, as if nobody had said them.
LONGEST_TEXT = 4_000


class Reply(BaseModel):
    """What the model answers; the topic can only keep a draft from going out by itself."""

    topic: Topic
    text: str


class Drafting:
    """Drafts a reply within a conversation."""

    def build(self, run: Run) -> Prompt:
        """The conversation as it is now.

        Raises:
            Ended: nothing is to be answered any more, or it may not be.
        """
        conversation, _rule = _asked_for(run)
        _answered(run, conversation)
        data = facts_of(conversation.lead, conversation).as_data()
        return prompt_of(run, "draft", data, schema=Reply, max_tokens=LONGEST_REPLY)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep what is grounded of the answer as a draft; by itself it goes out at most within the
        limits.

        Raises:
            Ended: somebody has written or decided meanwhile.
        """
        conversation, rule = _asked_for(run)
        answered = _answered(run, conversation)
        reply = completion.parsed
        assert isinstance(reply, Reply)
        if gives_itself_away(run, completion):
            run.report = {"refused": "leak"}
            return Outcome.REFUSED
        known = facts_of(conversation.lead, conversation)
        written = clean_draft(reply.text, LONGEST_TEXT)
        report = check(written.text, known.facts)
        run.result = {"topic": reply.topic.value, "based_on": str(answered.pk)}
        run.report = report.as_json() | {"marks": sorted(known.marks | written.marks)}
        if not report.is_usable:
            return Outcome.NOTHING_GROUNDED
        situation = _situation(known, rule, reply.topic, written, report)
        judged = gates.judge(situation)
        run.report["own_words"] = situation.is_own_words
        run.report["gates"] = [gate.as_json() for gate in judged]
        run.report["confidence"] = round(gates.confidence(report, known.marks), 3)
        draft = _keep(run, conversation, answered, report, _flags(known, written, report))
        if gates.may_go(judged):
            deciding.approve_by_rule(draft, hold=timedelta(seconds=rule.limits.hold_seconds))
        return Outcome.DRAFTED


def _asked_for(run: Run) -> tuple[Conversation, Rule]:
    conversation = (
        Conversation.objects.select_related("lead", "assignee", "account")
        .filter(pk=run.conversation_id)
        .first()
    )
    if conversation is None:
        raise Ended(Outcome.SUPERSEDED, _("The conversation is gone."))
    if not conversation.lead.is_open:
        raise Ended(Outcome.SUPERSEDED, _("The deal is closed."))
    rule = rule_of(conversation)
    if not rule.is_on:
        raise Ended(Outcome.OFF, _("The autopilot is off here."))
    return conversation, rule


def _answered(run: Run, conversation: Conversation) -> Message:
    """What the run was asked to answer, which is still what the lead wrote last."""
    last = last_inbound(conversation)
    if last is None or last.pk != drafts.answered_by(run):
        raise Ended(Outcome.SUPERSEDED, _("A newer message came in."))
    if is_answered(conversation, last):
        raise Ended(Outcome.SUPERSEDED, _("Somebody has answered meanwhile."))
    return last


def _situation(
    known: Known, rule: Rule, topic: Topic, written: Cleaned, report: Report
) -> gates.Situation:
    now = timezone.now().astimezone(ZoneInfo(current_tenant().time_zone))
    return gates.Situation(
        mode=rule.mode,
        is_held=rule.actions.is_held,
        limits=rule.limits,
        now=now,
        sent_today=drafts.sent_by_rule_since(_midnight(now)),
        topic=topic,
        read=known.marks,
        written=written.marks,
        report=report,
        is_first_contact=known.is_first_contact,
        is_open=known.lead.is_open,
        is_own_words=_is_own_words(report, known),
        is_other_language=_is_other_language(report, known),
        is_checked=language_of(report.text) in CHECKED,
        deafness=_deafness(known),
    )


def _is_own_words(report: Report, known: Known) -> bool:
    kept = [each.sentence.text for each in report.judged if each.is_kept]
    said = [text for text in kept if not known.is_salutation(text)]
    return bool(said) and all(bare(text) in known.own_sentences for text in said)


def _is_other_language(report: Report, known: Known) -> bool:
    last = known.last_said
    return last is not None and is_another(report.text, last.cleaned.text)


def _is_unchecked(report: Report) -> bool:
    """Whether it is surely written in a language of which few claims are known."""
    return language_of(report.text) not in (*CHECKED, UNSURE)


def _deafness(known: Known) -> str:
    account = account_for(known.conversation) if known.conversation else None
    return hears(account) if account else str(_("No account is connected."))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _flags(known: Known, written: Cleaned, report: Report) -> Sequence[str]:
    return gates.flags_of(
        report,
        read=known.marks,
        written=written.marks,
        is_first_contact=known.is_first_contact,
        is_other_language=_is_other_language(report, known),
        is_unchecked=_is_unchecked(report) and not _is_own_words(report, known),
    )


def _keep(
    run: Run,
    conversation: Conversation,
    answered: Message,
    report: Report,
    flags: Sequence[str],
) -> Draft:
    given: dict[str, Any] = {"body": report.text, "flags": [str(flag) for flag in flags]}
    return drafts.create_draft(run, conversation, answered, **given)


register_action(ActionType.DRAFT, Drafting())
