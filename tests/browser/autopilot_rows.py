"""What the autopilot has done for the demo's team: drafts that wait, runs, costs, rules."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils import timezone

from channels.autopilot.connecting import Entered, connect_endpoint
from channels.autopilot.endpoints import Settings
from channels.autopilot.languages import language_of
from channels.autopilot.models import ActionType, Draft, Expense, Mode, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.prices import Prices
from channels.models import Conversation, Message
from salesflow.accounts.context import current_tenant
from tests.autopilot.rows import make_draft
from tests.autopilot.stage import set_rule

MODEL = "gpt-4o-mini"
COST = Decimal("0.000412500000")
SAID = {
    "en": [
        "Hello {first}, thank you for your message. The starter package stays at 500 EUR a month, "
        "as we have written.\n\nA colleague will ring you on Tuesday at 10:00.\n\nBest regards",
        "Hello {first}, thank you for your message. A colleague will get back to you.",
        "Hello {first}, thank you. We will look at it and get back to you.",
    ],
    "de": [
        "Guten Tag, vielen Dank für Ihre Nachricht. Das Starterpaket bleibt bei 500 EUR im Monat, "
        "wie geschrieben.\n\nWir rufen Sie am Dienstag um 10:00 an.\n\nViele Grüße",
        "Guten Tag, vielen Dank für Ihre Nachricht. Wir melden uns bei Ihnen.",
        "Guten Tag, vielen Dank. Wir sehen es uns an und melden uns bei Ihnen.",
    ],
}
CUT = ["The large package is the cheapest on the market."]
CLAIMS = [
    {"kind": "amount", "said": "500 EUR", "trust": "ours", "source": "text “Prices”"},
    {"kind": "time", "said": "10:00", "trust": "theirs", "source": "their message of 2026-11-20"},
]


def fill_autopilot() -> Draft:
    """Fill its pages for the current tenant; returns the draft to show."""
    prices = Prices(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))
    url = "https://api.example.com/v1"
    connect_endpoint(Entered("Example", url, MODEL, settings=Settings(), prices=prices))
    set_rule(Mode.APPROVE, criteria="At least ten users\nA budget for this year", qualifies=True)
    for day in range(14):
        _spend(day)
    drafts = [_draft(message, number) for number, message in enumerate(_unanswered())]
    _other_runs(drafts[0])
    return drafts[0]


def _unanswered() -> list[Message]:
    """What the last words of some conversations are, all theirs."""
    rows = Conversation.objects.filter(channel="email", state=Conversation.State.OPEN)
    found = []
    for conversation in rows.select_related("lead").order_by("-last_message_at")[:60]:
        last = conversation.messages.order_by("-created_at", "-id").first()
        if last and last.direction == "inbound" and last.lead.outcome == "open":
            found.append(last)
    return found[:6]


def _draft(message: Message, number: int) -> Draft:
    texts = SAID["de" if language_of(message.body) == "de" else "en"]
    body = texts[number % len(texts) if number < 3 else 1].format(
        first=message.lead.name.split()[0]
    )
    flags = ["cut"] if number == 0 else []
    draft = make_draft(message, body=body, original_body=body, flags=flags)
    run = draft.run
    run.report = {"cut": CUT, "claims": CLAIMS} if number == 0 else {}
    _cost(run)
    return draft


def _cost(run: Run) -> None:
    run.model, run.cost, run.latency_ms, run.first_token_ms = MODEL, COST, 1840, 420
    run.prompt_tokens, run.cached_tokens, run.completion_tokens = 1650, 1024, 96
    run.prompt_name, run.prompt_version = run.action, "1 1f3a5c7e"
    run.started_at = run.finished_at = timezone.now()
    run.save()


def _other_runs(draft: Draft) -> None:
    outcomes = [
        (ActionType.QUALIFY, Outcome.QUALIFIED, ""),
        (ActionType.PROPOSE, Outcome.PROPOSED, ""),
        (ActionType.SUMMARISE, Outcome.SUMMARISED, ""),
        (ActionType.DRAFT, Outcome.RATE_LIMITED, "The model's server is asked too often."),
        (ActionType.EXTRACT, Outcome.NOTHING_GROUNDED, ""),
    ]
    for action, outcome, error in outcomes:
        run = Run.objects.create(
            action=action, key=f"demo:{action}:{outcome}", lead=draft.lead,
            state=Run.State.FINISHED, outcome=outcome, error=error,
        )  # fmt: skip
        _cost(run)


def _spend(day: int) -> None:
    today = timezone.localdate(timezone=ZoneInfo(current_tenant().time_zone))
    for action, calls in ((ActionType.DRAFT, 40 - 2 * day), (ActionType.QUALIFY, 12)):
        Expense.objects.create(
            day=today - timedelta(days=day), action=action, model=MODEL,
            calls=calls, prompt_tokens=1650 * calls, cached_tokens=1024 * calls,
            completion_tokens=96 * calls, cost=COST * calls,
        )  # fmt: skip
