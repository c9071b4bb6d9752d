"""Trying an endpoint at somebody's wish: a run like any other, that nobody's words go into."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels.autopilot.endpoints import keep_endpoint
from channels.autopilot.models import ActionType, Endpoint, Run
from channels.autopilot.runs import request_run
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import User

# So many of an endpoint are kept.
MOST_KEPT = 20
# Seconds after which one that nobody has answered does not stand before the next one.
PATIENCE = 180.0


@transaction.atomic
def request_check(endpoint: Endpoint, *, actor: User | None = None) -> Run:
    """Have a worker try an endpoint, whether it is stopped or not.

    Raises:
        ValidationError: it is being tried, or out of use.
    """
    keep_endpoint(endpoint)
    # One at a time, whoever asks.
    row: Endpoint = Endpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if not row.is_active:
        raise ValidationError(_("Take the endpoint into use first."))
    checks = checks_of(row, 1)
    if checks and is_under_way(checks[0]):
        raise ValidationError(_("It is being tried: wait for the answer."))
    _forget_old(row)
    key = f"check:{row.pk}:{uuid7()}"
    run = request_run(ActionType.CHECK, key=key, endpoint=row, asked_by=actor)
    assert run
    return run


def checks_of(endpoint: Endpoint, most: int) -> list[Run]:
    """What came of trying it, the last first."""
    rows = Run.objects.filter(action=ActionType.CHECK, endpoint=endpoint)
    return list(rows.select_related("asked_by").order_by("-id")[:most])


def is_under_way(run: Run) -> bool:
    """Whether its answer is to be expected."""
    age = (timezone.now() - run.created_at).total_seconds()
    return run.state != Run.State.FINISHED and age < PATIENCE


def _forget_old(endpoint: Endpoint) -> None:
    rows = Run.objects.filter(action=ActionType.CHECK, endpoint=endpoint)
    old = list(rows.order_by("-id").values_list("pk", flat=True)[MOST_KEPT - 1 :])
    rows.filter(pk__in=old, state=Run.State.FINISHED).delete()
