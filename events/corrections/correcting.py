"""Correcting: a new event in the place of one that failed, and the failures set aside with it.

One transaction: either the correction is there and no later replay runs what it took over, or
nothing has happened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from events import audit, registry
from events.context import event_context
from events.corrections.checking import CorrectionRefused, TooLate, checked_payload
from events.corrections.differences import differences
from events.corrections.patches import Patch
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.payloads import Payload
from events.publishing import publish
from events.states import aggregate_status
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import User

log = structlog.get_logger(__name__)

# Kept on record in English, shown in the reader's language.
STILL_PENDING = gettext_noop("still pending: its handlers have not finished")
NOTHING_FAILED = gettext_noop("nothing to correct: no handler of this event failed")
ONLY_EXTERNAL = gettext_noop(
    "only handlers with external effects failed, and the correction leaves those out"
)
TOO_DEEP = gettext_noop("its payload is nested too deeply")
RAN = gettext_noop("ran for the original event")
LEFT = gettext_noop("left to the original event")
NEVER_RAN = gettext_noop("never ran for the original event")

FAILED, SKIPPED = DeliveryStatus.FAILED, DeliveryStatus.SKIPPED


@dataclass(frozen=True)
class Scope:
    """Which of an event's failed handlers get the correction.

    Attributes:
        handlers: their names; empty: all that failed.
        include_external: also those whose effects are external. Replays may run some of these
            again, which know what they have done by its idempotency key: a correction has another.
        is_exact: whether all that are named must have failed.
    """

    handlers: Sequence[str] = ()
    include_external: bool = False
    is_exact: bool = False

    def taken_over(self, failed: Iterable[Delivery]) -> list[Delivery]:
        """Those of the failed deliveries that the correction takes over.

        Raises:
            TooLate: none of them failed, or not all that must have.
            CorrectionRefused: only handlers failed that it leaves out.
        """
        by_handler = {delivery.handler: delivery for delivery in failed}
        named = [by_handler[name] for name in self.handlers or by_handler if name in by_handler]
        if not named or (self.is_exact and len(named) < len(set(self.handlers))):
            raise TooLate(_(NOTHING_FAILED))
        taken = [d for d in named if self.include_external or not registry.wants_consent(d.handler)]
        if not taken:
            raise CorrectionRefused(_(ONLY_EXTERNAL))
        return taken


@transaction.atomic
def correct_event(
    event: Event,
    payload: Any,
    *,
    actor: User | None,
    reason: str,
    handlers: Sequence[str] = (),
    include_external: bool = False,
    source: str = "admin",
) -> Event:
    """Publish `event` anew with another payload, for the handlers that failed.

    The original keeps its payload, its attempts and their errors. Its failures that the
    correction takes over are set aside, so that no replay runs them again.

    Args:
        payload: the whole of it, as JSON.
        reason: why, for the record.
        handlers: some of those that failed; by default all.
        include_external: also those that are skipped on replay, or whose effects are external.

    Returns:
        The correction: of the same tenant, type, subject and time, and in the same place of the
        log, so that ordered handlers take it before what came after the original.

    Raises:
        ValidationError: path in the payload → what is wrong there.
        TooLate: somebody was faster: what was to be corrected did not fail any more.
        CorrectionRefused: it cannot be corrected; the message says why.
    """
    original = _locked(event)
    scope = Scope(tuple(dict.fromkeys(handlers)), include_external, is_exact=True)
    with event_context(actor_id=actor.pk if actor else None, source=source):
        correction = _correct(original, payload, scope)
    _record(original, correction, actor=actor, reason=reason)
    return correction


def _record(original: Event, correction: Event, *, actor: User | None, reason: str) -> None:
    details = {
        "correction": str(correction.pk),
        "changed": [each.path for each in differences(original.payload, correction.payload)],
        "handlers": _handlers_of(correction),
    }
    audit.record(
        "event.corrected",
        original,
        actor=actor,
        tenant=original.tenant,
        reason=reason,
        details=details,
    )


def correct_item(replay: Replay, event: Event) -> Event | str:
    """Correct one event of a replay of the kind `correction`, by its patch; see `correct_event`.

    Whatever is wrong with one event keeps none of the others.

    Returns:
        The correction; or why there is none, in English, for the item's note.
    """
    try:
        with translation.override("en"):
            return _patch(replay, event)
    except CorrectionRefused as refused:
        return str(refused)
    except ValidationError as invalid:
        return note_of(invalid)
    except RecursionError:
        return TOO_DEEP
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # payload classes have code of their own
        log.exception("correction_failed", event_id=str(event.pk), replay_id=str(replay.pk))
        return f"it cannot be published: {type(error).__name__}"


@transaction.atomic
def _patch(replay: Replay, event: Event) -> Event:
    scope = Scope(replay.handlers, replay.include_external)
    original = _locked(event)
    payload = Patch.from_json(replay.patch).apply(original.payload)
    with event_context(actor_id=replay.actor_id, source="admin", cause_id=None, request_id=""):
        return _correct(original, payload, scope, replay)


def note_of(invalid: ValidationError) -> str:
    """The first thing that is wrong with a payload, in one line."""
    [(path, messages), *_others] = sorted(invalid.message_dict.items())
    return f"{path}: {messages[0]}"


# --- In one transaction -------------------------------------------------------------------------


def _locked(event: Event) -> Event:
    """The event as it is now, held against workers, replays and other corrections."""
    events = Event.unscoped.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    try:
        return events.get(pk=event.pk)
    except Event.DoesNotExist:
        raise TooLate(_("the event was pruned")) from None


def _correct(original: Event, payload: Any, scope: Scope, replay: Replay | None = None) -> Event:
    if original.status == EventStatus.PENDING:
        raise TooLate(_(STILL_PENDING))
    deliveries = list(original.deliveries.all())
    taken = scope.taken_over(each for each in deliveries if each.status == FAILED)
    typed = checked_payload(original, payload)
    correction = _publish_in_place(original, typed)
    _give_deliveries(correction, deliveries, taken, replay)
    _set_aside(original, deliveries, taken, correction)
    return correction


def _publish_in_place(original: Event, payload: Payload) -> Event:
    with tenant_context(original.tenant):
        correction = publish(payload, occurred_at=original.occurred_at)
    correction.corrects_id, correction.position = original.pk, original.position
    correction.save(update_fields=["corrects_id", "position"])
    return correction


def _give_deliveries(
    correction: Event, originals: list[Delivery], taken: list[Delivery], replay: Replay | None
) -> None:
    """Have the taken handlers run, and say of the others why they do not."""
    known = {delivery.handler: delivery for delivery in originals}
    runs = {delivery.handler for delivery in taken}
    names = [*known, *(h.name for h in registry.handlers_of(correction.type))]
    Delivery.objects.bulk_create(
        Delivery(event=correction, handler=name, replay_id=replay.pk if replay else None)
        if name in runs
        else Delivery(event=correction, handler=name, status=SKIPPED, error=_why_not(known, name))
        for name in dict.fromkeys(names)
    )


def _why_not(known: dict[str, Delivery], handler: str) -> str:
    if handler not in known:
        return NEVER_RAN
    return LEFT if known[handler].status == FAILED else RAN


def _set_aside(
    original: Event, deliveries: list[Delivery], taken: list[Delivery], correction: Event
) -> None:
    """Take the corrected failures from the original, and give it the status that is left."""
    for delivery in taken:
        delivery.status, delivery.failures = SKIPPED, 0
        delivery.error = f"corrected by {correction.pk}"
    Delivery.objects.bulk_update(taken, ["status", "failures", "error"])
    left = [f"{each.handler}: {each.error}" for each in deliveries if each.status == FAILED]
    original.status = aggregate_status(delivery.status for delivery in deliveries)
    original.error_message = left[0] if left else ""
    original.save(update_fields=["status", "error_message"])


def _handlers_of(correction: Event) -> list[str]:
    runs = correction.deliveries.exclude(status=SKIPPED).order_by("handler")
    return list(runs.values_list("handler", flat=True))
