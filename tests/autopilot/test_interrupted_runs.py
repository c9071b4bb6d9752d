"""Workers that die, come late or come twice, and leads that go while a model is asked."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from channels.autopilot.budgets import Bill, reserve, standing
from channels.autopilot.calls import note_call
from channels.autopilot.completions import Usage
from channels.autopilot.mending import LOST_AFTER, end_lost_runs, forget_prompts
from channels.autopilot.models import Call, Endpoint, Expense, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.payloads import AutopilotActionExecuted
from channels.autopilot.performing import perform_run
from events import Permanent
from events.testing import assert_published, published
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import MODEL, Peer, Server, chunk
from tests.autopilot.factories import PRICES, Scripted, doing, make_endpoint, make_run
from tests.autopilot.test_runs import COST
from tests.factories import make_tenant
from tests.waiting import wait_until

MOST = Usage(100, 0, 40, 0, is_estimated=True)
# (100 · 0.15 + 40 · 0.6) / 10⁶
AT_MOST = Decimal("0.000039")


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def action() -> Iterator[Scripted]:
    with doing(Scripted()) as action:
        yield action


@pytest.fixture
def endpoint(tenant: Tenant, server: Server) -> Endpoint:
    return make_endpoint(server)


@pytest.fixture
def committed(transactional_db: None) -> Iterator[Tenant]:
    """A tenant whose rows other connections see."""
    with tenant_context(make_tenant("acme")) as tenant:
        yield tenant


def begin(run: Run, minutes: float = 0) -> Call:
    """Note a call as a worker did that then died, so many minutes ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    run.state, run.model, run.started_at = Run.State.RUNNING, MODEL, at
    run.save()
    bill = Bill(MODEL, MOST, PRICES)
    reservation = reserve(run.tenant, bill.cost, at)
    assert reservation
    return note_call(run, reservation, bill, at)


def elsewhere(tenant: Tenant, work: Callable[[], None]) -> None:
    """Do something as another process would: in a connection of its own."""
    try:
        with tenant_context(tenant):
            work()
    finally:
        connections.close_all()


# --- Workers that died ----------------------------------------------------------------------------


def test_call_of_a_dead_worker_is_paid_and_made_again(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = make_run()
    lost = begin(run)
    assert standing(tenant).reserved == AT_MOST
    perform_run(run.pk)
    run.refresh_from_db()
    lost.refresh_from_db()
    assert (lost.outcome, lost.cost, lost.is_estimated) == (Outcome.FAILED, AT_MOST, True)
    assert (run.outcome, run.cost, run.is_estimated) == ("summarised", AT_MOST + COST, True)
    assert [call.number for call in run.calls.order_by("number")] == [1, 2]
    found = standing(tenant)
    assert (found.spent, found.reserved) == (AT_MOST + COST, Decimal(0))
    assert_published(AutopilotActionExecuted, cost=AT_MOST + COST, estimated=True)


def test_run_that_kills_its_workers_is_given_up(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted
) -> None:
    run = make_run()
    begin(run)
    begin(run)
    with pytest.raises(Permanent):
        perform_run(run.pk)
    run.refresh_from_db()
    assert (run.outcome, run.cost, server.asked) == (Outcome.FAILED, 2 * AT_MOST, [])
    assert standing(tenant).reserved == 0


def test_run_whose_worker_died_and_that_nobody_performs_again_is_ended(
    tenant: Tenant, endpoint: Endpoint
) -> None:
    lost, alive = make_run(), make_run()
    begin(lost, minutes=16)
    begin(alive, minutes=14)
    assert end_lost_runs() == 1
    lost.refresh_from_db()
    alive.refresh_from_db()
    assert (lost.outcome, lost.cost) == (Outcome.FAILED, AT_MOST)
    assert lost.error == "The worker was interrupted while the model was asked."
    assert alive.state == Run.State.RUNNING
    assert_published(AutopilotActionExecuted, run_id=lost.pk, cost=AT_MOST)
    assert end_lost_runs() == 0
    assert end_lost_runs(timezone.now() + LOST_AFTER) == 1


def test_runs_of_all_tenants_are_ended_in_their_own_name(tenant: Tenant) -> None:
    begin(make_run(), minutes=20)
    other = make_tenant(language="de")
    with tenant_context(other):
        theirs = make_run()
        begin(theirs, minutes=20)
    assert end_lost_runs() == 2
    with tenant_context(other):
        assert Run.objects.get().outcome == Outcome.FAILED
        assert standing(other).spent == Expense.objects.get().cost == AT_MOST


# --- Workers that come twice, or too late ---------------------------------------------------------


def test_answer_that_comes_after_the_call_was_taken_for_lost_changes_nothing(
    committed: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server)
    run = make_run()

    def second_worker_first(peer: Peer) -> None:
        elsewhere(committed, lambda: perform_run(run.pk))
        server.behave(peer)

    server.then(second_worker_first)
    perform_run(run.pk)
    run.refresh_from_db()
    late, made_again = run.calls.order_by("number")
    assert (run.outcome, len(server.asked), len(action.applied)) == ("summarised", 2, 1)
    assert (late.outcome, late.is_estimated, made_again.cost) == ("failed", True, COST)
    assert run.cost == late.cost + COST
    found = standing(committed)
    assert (found.spent, found.reserved) == (run.cost, Decimal(0))
    assert len(published(AutopilotActionExecuted)) == 1


def test_two_workers_at_once_make_one_end_of_it(
    committed: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server)
    run = make_run()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            elsewhere(committed, lambda: perform_run(run.pk))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    run.refresh_from_db()
    assert (errors, run.outcome, len(action.applied)) == ([], "summarised", 1)
    found = standing(committed)
    assert (found.spent, found.reserved) == (run.cost, Decimal(0))
    assert len(published(AutopilotActionExecuted)) == 1


def test_lead_that_is_deleted_meanwhile_takes_the_run_and_not_the_bill(
    committed: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server)
    run = make_run()

    def delete() -> None:
        Lead.objects.get(pk=run.lead_id).delete()

    def delete_first(peer: Peer) -> None:
        elsewhere(committed, delete)
        server.behave(peer)

    server.then(delete_first)
    perform_run(run.pk)
    assert not Run.objects.exists()
    assert not action.applied
    found = standing(committed)
    assert (found.spent, found.reserved) == (COST, Decimal(0))


def test_answer_can_be_read_while_it_comes(
    committed: Tenant, server: Server, action: Scripted
) -> None:
    make_endpoint(server)
    run = make_run()
    seen: list[str] = []

    def slowly(peer: Peer) -> None:
        peer.begin_stream()

        def shown() -> bool:
            peer.event(chunk("word "))
            seen.append(Run.objects.get(pk=run.pk).output)
            return bool(seen[-1])

        elsewhere(committed, lambda: wait_until(shown, "the answer's beginning can be read"))
        peer.event(chunk("end", finish="stop"))
        peer.end_stream()

    server.then(slowly)
    perform_run(run.pk)
    run.refresh_from_db()
    assert seen[-1].startswith("word word")
    assert run.output.startswith(seen[-1])
    assert run.output.endswith("end")


# --- Prompts --------------------------------------------------------------------------------------


def test_prompts_are_forgotten_when_they_are_old(
    tenant: Tenant, server: Server, endpoint: Endpoint, action: Scripted, settings: Settings
) -> None:
    settings.AI_PROMPT_DAYS = 30
    old, young, waiting = make_run(), make_run(), make_run()
    for run in (old, young):
        perform_run(run.pk)
    Run.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=31))
    assert forget_prompts() == 1
    kept = {run.pk: bool(run.messages) for run in Run.objects.all()}
    assert kept == {old.pk: False, young.pk: True, waiting.pk: False}
    assert Run.objects.get(pk=old.pk).output == server.text
    assert forget_prompts() == 0
