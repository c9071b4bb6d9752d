"""Everything that can be tried in the console: a page or a form for each of its addresses.

Whoever adds an address to the console says here what it does, and which permissions it takes.
"""

import json
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME

from tests.access import CORRECTION, GIVE_UP, NOBODY, SUPERUSER, TYPE, Acme, Attempt, Effect

VIEW = ("view_event",)
TRIAGE = (*VIEW, "triage_failuregroup")
REPLAY = (*VIEW, "replay_event")
EXTERNAL = (*REPLAY, "replay_external")
EDIT = (*VIEW, "correct_event")
EDIT_MANY = (*REPLAY, "correct_event")
CHANGES, TELLS, OPENS = Effect.CHANGES, Effect.TELLS, Effect.OPENS


# --- How they are written -----------------------------------------------------------------------


def page(name: str, needs: Any = VIEW, effect: Effect = TELLS, **given: Any) -> Attempt:
    """Somebody opens a page."""
    return Attempt(f"events_{name}", needs, effect, **given)


def post(name: str, needs: Any, form: Any, effect: Effect = CHANGES, **given: Any) -> Attempt:
    """Somebody sends a form.

    Args:
        form: its fields; or what makes them, of acme.
    """
    filled = form if callable(form) else lambda _acme: form
    return Attempt(f"events_{name}", needs, effect, form=filled, **given)


def replay(status: str, **given: Any) -> Any:
    """Makes a replay of acme's; see `Acme.replay`."""
    return lambda acme: acme.replay(status, **given)


def group(acme: Acme) -> Any:
    return acme.group.fingerprint


def event(acme: Acme) -> Any:
    return acme.event.pk


def rule(acme: Acme) -> Any:
    return acme.rule.pk


def line(acme: Acme) -> Any:
    return acme.line.pk


def ids(acme: Acme) -> str:
    """The address means acme's event."""
    return f"?ids={acme.event.pk}"


def with_replay(acme: Acme) -> str:
    """There is a replay of acme's to be seen."""
    acme.replay("running")
    return ""


def start_form(*handlers: str) -> dict[str, Any]:
    return {
        "reason": "mended",
        "handlers": list(handlers),
        "has_canary": "on",
        "stop_percent": "5",
        "pace": "10",
    }


def correct_form(*handlers: str) -> dict[str, Any]:
    return {"payload-owner": "Ada", "reason": "a typo", "handlers": list(handlers)}


def rule_form(acme: Acme) -> dict[str, Any]:
    return {
        "tenant": str(acme.tenant.pk),
        "name": "Forged",
        "kind": "new_group",
        "threshold": "",
        "emails": "ops@example.com",
        "webhook_url": "",
        "is_active": "on",
    }


# One of them has effects outside: to give it up has none.
GIVE_UP_FORM = {"reason": "nobody will mend it", "handlers": ["greet", "mails"]}
PATCH_FORM = {
    "change-0-operation": "set",
    "change-0-path": "/owner",
    "change-0-value": '"Ada"',
}
PREVIEWED = {"plan": json.dumps([{"op": "set", "path": "/owner", "value": "Ada"}])}

# --- What is tried ------------------------------------------------------------------------------

FAILURES = [
    page("health"),
    page("failures"),
    page("failure", row=group),
    post(
        "failures_triage",
        TRIAGE,
        lambda acme: {"verb": "mute", "fingerprint": [str(acme.group.fingerprint)]},
    ),
    *(
        post("failure_triage", TRIAGE, {"verb": verb}, row=group, label=verb)
        for verb in ("acknowledge", "resolve", "mute")
    ),
    post(
        "failure_triage",
        TRIAGE,
        {"verb": "annotate", "note": "known", "ticket_url": "https://example.com/1"},
        row=group,
        label="annotate",
    ),
    post(
        "failure_triage",
        TRIAGE,
        lambda acme: {"verb": "assign", "owner": str(acme.owner.pk)},
        row=group,
        label="assign",
    ),
]
EVENTS = [
    page("event_changelist"),
    page("event_newer", effect=OPENS),
    page("event_change", row=event),
    page("event_payload", row=event),
    page("event_history", effect=OPENS, row=event),
    post(
        "event_changelist",
        REPLAY,
        lambda acme: {"action": "replay_selected", ACTION_CHECKBOX_NAME: str(acme.event.pk)},
        OPENS,
    ),
    post(
        "event_changelist",
        REPLAY,
        lambda acme: {"act": "give_up", ACTION_CHECKBOX_NAME: str(acme.event.pk)},
        OPENS,
        label="give up",
    ),
    post("event_change", NOBODY, {"status": "processed"}, row=event),
    post("event_add", NOBODY, {"type": TYPE}),
    post("event_delete", NOBODY, {"post": "yes"}, row=event),
]
CORRECTIONS = [
    page("event_correct", EDIT, row=event),
    post("event_correct", EDIT, correct_form("greet"), row=event),
    post(
        "event_correct",
        (*EXTERNAL, "correct_event"),
        correct_form("greet", "mails"),
        row=event,
        label="external",
    ),
    page("correct", EDIT_MANY, OPENS, query=ids),
    post("correct", EDIT_MANY, PATCH_FORM, TELLS, query=ids, label="preview"),
    post("correct", EDIT_MANY, PATCH_FORM | PREVIEWED, query=ids, label="plan"),
]
REPLAYS = [
    page("replay_changelist", query=with_replay),
    page("replay_change", effect=OPENS, row=replay("planned"), label="planned"),
    page("replay_change", row=replay("running"), label="running"),
    page("replay_history", row=replay("running")),
    page("replay_progress", effect=OPENS, row=replay("running")),
    page("replay_csv", effect=OPENS, row=replay("running")),
    page("replay_outlook", REPLAY, OPENS, row=replay("planned")),
    page("event_replay", REPLAY, OPENS, query=ids),
    post("event_replay", REPLAY, {}, query=ids),
    page("event_give_up", REPLAY, OPENS, query=ids),
    post("event_give_up", REPLAY, {}, query=ids),
    page("replay_change", effect=OPENS, row=replay("planned", kind=GIVE_UP), label="to give up"),
    page("replay_change", row=replay("running", kind=GIVE_UP), label="giving up"),
    post("replay_start", REPLAY, start_form("greet"), row=replay("planned")),
    post(
        "replay_start",
        EXTERNAL,
        start_form("greet", "mails"),
        row=replay("planned"),
        label="external",
    ),
    post(
        "replay_start",
        EDIT_MANY,
        start_form("greet"),
        row=replay("planned", kind=CORRECTION),
        label="correction",
    ),
    post(
        "replay_start",
        REPLAY,
        GIVE_UP_FORM,
        row=replay("planned", kind=GIVE_UP),
        label="give up",
    ),
    post("replay_act", REPLAY, {"act": "pause"}, row=replay("running"), label="pause"),
    post("replay_act", REPLAY, {"act": "pace", "pace": "3"}, row=replay("running"), label="pace"),
    *(
        post("replay_act", REPLAY, {"act": "cancel"}, row=replay(status), label=f"cancel {status}")
        for status in ("planned", "running", "paused", "stopped")
    ),
    post("replay_act", REPLAY, {"act": "resume"}, row=replay("paused"), label="resume"),
    post(
        "replay_act",
        REPLAY,
        {"act": "resume", "reason": "anyway"},
        row=replay("stopped"),
        label="resume stopped",
    ),
    post(
        "replay_act",
        EXTERNAL,
        {"act": "resume"},
        row=replay("paused", external=True),
        label="resume external",
    ),
    post(
        "replay_act",
        REPLAY,
        {"act": "resume"},
        row=replay("paused", kind=GIVE_UP),
        label="resume giving up",
    ),
    post(
        "replay_act",
        EDIT_MANY,
        {"act": "resume"},
        row=replay("paused", kind=CORRECTION),
        label="resume correction",
    ),
    post("replay_change", NOBODY, {"reason": "forged"}, row=replay("running")),
    post("replay_add", NOBODY, {"reason": "forged"}),
    post("replay_delete", NOBODY, {"post": "yes"}, row=replay("running")),
]
OTHERS = [
    page("handlers", effect=OPENS),
    page("handler", row=lambda _acme: "greet"),
    post(
        "handler",
        SUPERUSER,
        {"action": "pause", "reason": "broken"},
        row=lambda _acme: "greet",
        label="pause",
    ),
    post(
        "handler",
        SUPERUSER,
        {"action": "resume"},
        row=lambda acme: acme.paused("greet"),
        label="resume",
    ),
    page("catalogue", effect=OPENS),
    page("catalogue_type", row=lambda _acme: TYPE),
    page("auditline_changelist"),
    page("auditline_change", row=line),
    page("auditline_history", effect=OPENS, row=line),
    post("auditline_change", NOBODY, {"reason": "forged"}, row=line),
    post("auditline_add", NOBODY, {"reason": "forged"}),
    post("auditline_delete", NOBODY, {"post": "yes"}, row=line),
]
RULES = [
    page("alertrule_changelist", ("view_alertrule",)),
    page("alertrule_change", ("view_alertrule",), row=rule),
    page("alertrule_history", ("view_alertrule",), row=rule),
    page("alertrule_add", ("add_alertrule",), OPENS),
    page("alertrule_delete", ("delete_alertrule",), row=rule),
    post("alertrule_add", ("add_alertrule",), rule_form),
    post("alertrule_change", ("change_alertrule",), rule_form, row=rule),
    post("alertrule_delete", ("delete_alertrule",), {"post": "yes"}, row=rule),
    post("alertrule_test", ("change_alertrule",), {}, row=rule),
    post("alertrule_secret", ("change_alertrule",), {}, row=rule),
]
ATTEMPTS = [*FAILURES, *EVENTS, *CORRECTIONS, *REPLAYS, *OTHERS, *RULES]
