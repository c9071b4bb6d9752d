"""Trying an account at somebody's wish: outside any transaction, by a worker, answered in words.

1. A row `AccountTrial` is written, and with it `account.trial_requested`.
2. The handler `try_account` notes on the row that it begins, and calls the transport.
3. What came of it is noted on the row. A trial that was begun and not answered (a worker that died
   in between) is not made again: a message may have gone out.
   What the vendor reports of that message later is its last word.
"""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from channels.faults import TransportBroke
from channels.models import Account, AccountTrial, Channel, MessageStatus, MessageType
from channels.services.accounts import note_error, note_sent, note_well
from channels.transports import Outgoing, Report, TransportError, transport_named
from events import Permanent
from leads.contact_points import normalise
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User

Kind = AccountTrial.Kind
# So many of an account are kept.
MOST_KEPT = 20
# Seconds after which one that nobody has answered does not stand before the next one.
PATIENCE = 150.0
ARRIVED = (MessageStatus.DELIVERED, MessageStatus.READ)
# Source: WhatsApp Business Platform, "Get started": every account has this template.
FIRST_TEMPLATE = {"name": "hello_world", "language": "en_US", "variables": []}


@transaction.atomic
def request_trial(
    account: Account,
    kind: str,
    *,
    address: str = "",
    actor: User | None = None,
    subject: str = "",
    body: str = "",
) -> AccountTrial:
    """Have a worker try an account.

    Args:
        kind: an `AccountTrial.Kind`.
        address: to which a message goes; by default the account's own.
        subject, body: of that message, if it is to show what a mail looks like.

    Raises:
        ValidationError: under "address" or "kind".
    """
    # One at a time, whoever asks.
    Account.objects.select_for_update().get(pk=account.pk)
    last = AccountTrial.objects.filter(account=account).order_by("-id").first()
    if last and is_under_way(last):
        raise ValidationError({"kind": _("A trial is under way: wait for its answer.")})
    if kind not in kinds_for(account):
        raise ValidationError({"kind": _("This cannot be tried with this account.")})
    if kind == Kind.SEND:
        address = _checked_address(account, address or account.address)
    trial = AccountTrial(
        account=account, kind=kind, address=address, actor=actor, subject=subject, body=body
    )
    trial.save()
    rows = AccountTrial.objects.filter(account=account)
    kept = list(rows.order_by("-id").values_list("pk", flat=True)[:MOST_KEPT])
    rows.exclude(pk__in=kept).delete()
    return trial


def kinds_for(account: Account) -> list[AccountTrial.Kind]:
    """What can be tried with an account."""
    try:
        transport = transport_named(account.transport)
    except TransportError:
        return []
    if transport.is_assisted:
        return []
    return [Kind.CHECK, Kind.SEND, *([Kind.WEBHOOK] if transport.webhook_route else [])]


def is_under_way(trial: AccountTrial) -> bool:
    """Whether its answer is to be expected."""
    if trial.answered_at:
        return False
    return (timezone.now() - trial.created_at).total_seconds() < PATIENCE


def webhook_url(account: Account) -> str:
    """The address that the account's vendor has to call; empty where it calls none."""
    try:
        route = transport_named(account.transport).webhook_route
    except TransportError:
        return ""
    return f"{settings.BASE_URL}{reverse(route, args=[account.pk])}" if route else ""


def run_trial(trial_id: UUID) -> None:
    """Make a trial and note its answer; one that was begun before is not made again."""
    with translation.override(current_tenant().language):
        trial = _begin(trial_id)
        if trial is None:
            return
        try:
            words = ATTEMPTS[Kind(trial.kind)](trial)
        except TransportError as error:
            note_error(trial.account_id, error.reason)
            _answer(trial, str(error.reason), has_worked=False)
        except Exception as error:
            broke = TransportBroke.of(error)
            said = _("The transport broke: %(error)s") % {"error": broke}
            note_error(trial.account_id, said)
            _answer(trial, said, has_worked=False)
            raise Permanent(said) from broke
        else:
            trial.refresh_from_db(fields=["answered_at"])
            if trial.answered_at:
                # A report has overtaken the vendor's answer, and says more.
                return
            note_well(trial.account_id)
            _answer(trial, words, has_worked=True)


@transaction.atomic
def note_report(report: Report) -> bool:
    """Note what a vendor tells later of a message that a trial has sent; False: it is of none."""
    rows = AccountTrial.objects.select_for_update()
    trial: AccountTrial | None = rows.filter(pk=report.message_id, kind=Kind.SEND).first()
    if trial is None:
        return False
    with translation.override(current_tenant().language):
        if report.status == MessageStatus.FAILED:
            words = report.reason or _("The message did not arrive.")
            note_error(trial.account_id, words)
            _answer(trial, words, has_worked=False)
        elif report.status in ARRIVED:
            words = _("The message to %(address)s has arrived.") % {"address": trial.address}
            _answer(trial, words, has_worked=True)
    return True


@transaction.atomic
def _begin(trial_id: UUID) -> AccountTrial | None:
    rows = AccountTrial.objects.select_for_update(of=("self",)).select_related("account")
    trial: AccountTrial | None = rows.filter(pk=trial_id).first()
    if trial is None or trial.answered_at:
        return None
    if trial.begun_at:
        _answer(trial, _("The trial was interrupted: try again."), has_worked=False)
        return None
    trial.begun_at = timezone.now()
    trial.save(update_fields=["begun_at"])
    return trial


def _answer(trial: AccountTrial, words: str, *, has_worked: bool) -> None:
    trial.answered_at, trial.has_worked, trial.answer = timezone.now(), has_worked, words
    trial.save(update_fields=["answered_at", "has_worked", "answer"])


def _check(trial: AccountTrial) -> str:
    transport_named(trial.account.transport).check(trial.account)
    return _("The account can be used.")


def _send(trial: AccountTrial) -> str:
    account = trial.account
    transport = transport_named(account.transport)
    is_template = transport.window_hours is not None
    says = _("A test from SalesFlow") if account.channel == Channel.EMAIL else ""
    transport.send(
        account,
        Outgoing(
            message_id=trial.pk,
            channel=account.channel,
            message_type=MessageType.TEMPLATE if is_template else MessageType.TEXT,
            address=trial.address,
            name=str(trial.actor or ""),
            subject=trial.subject or says,
            body=trial.body or _("It works: this account sends messages."),
            details=FIRST_TEMPLATE if is_template else {},
        ),
    )
    note_sent(account.pk)
    return _("The message to %(address)s was taken over.") % {"address": trial.address}


def _check_webhook(trial: AccountTrial) -> str:
    url = webhook_url(trial.account)
    transport_named(trial.account.transport).check_webhook(trial.account, url)
    return _("The address answers as the vendor expects.")


def _checked_address(account: Account, given: str) -> str:
    if not given.strip():
        raise ValidationError({"address": _("Say where the message shall go.")})
    try:
        return normalise(Channel(account.channel).contact_kind, [given])[0]
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from None


ATTEMPTS: dict[AccountTrial.Kind, Callable[[AccountTrial], str]] = {
    Kind.CHECK: _check,
    Kind.SEND: _send,
    Kind.WEBHOOK: _check_webhook,
}
