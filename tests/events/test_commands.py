from collections.abc import Callable, Iterator
from contextvars import Context
from itertools import takewhile

import pytest
from django.core.management import CommandError, call_command

from events import Retry
from events.models import Delivery, Event, FailureGroup, Replay
from events.retry import RetryPolicy
from events.settling import settle
from events.testing import handler_of
from salesflow.accounts.context import tenant_context
from salesflow.accounts.ids import uuid7
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_events
from tests.events.switches import Switch
from tests.factories import make_tenant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def switch() -> Iterator[Switch]:
    switch = Switch()
    with handler_of("thing.happened", function=switch, name="switch"):
        yield switch


def replay_events(*arguments: str) -> None:
    """Run the command as the command line does: with no tenant set."""
    reason = () if "--reason" in arguments else ("--reason", "mended")
    Context().run(call_command, "replay_events", *arguments, *reason)


def test_replayed_event_is_processed_without_any_worker(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = make_event()
    settle_events()
    switch.on = True
    replay_events()
    event.refresh_from_db()
    assert (event.status, switch.handled) == ("processed", [event.id])
    replay = Replay.objects.get()
    assert (replay.status, replay.reason) == ("finished", "mended")
    assert "1 events selected, 1 processed, 0 left out" in capsys.readouterr().out


def test_event_that_fails_again_makes_the_command_fail(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    make_event()
    settle_events()
    with pytest.raises(CommandError, match="1 of 1 events failed again"):
        replay_events()
    assert Event.objects.get().status == "failed"


def test_selection_is_by_tenant_type_time_and_id(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    first, second = make_events(2)
    with tenant_context(make_tenant("other")):
        make_event()
    settle_events()
    switch.on = True
    replay_events("--until", "1h")
    replay_events("--since", "1h", "--type", "other.happened")
    assert switch.handled == []
    replay_events("--tenant", "acme", "--id", str(second.id))
    assert switch.handled == [second.id]
    replay_events("--tenant", "acme")
    assert switch.handled == [second.id, first.id]
    replay_events("--type", "thing.happened", "--since", "1h")
    assert len(switch.handled) == 3
    assert Replay.objects.filter(tenant=tenant).count() == 2


def test_dry_run_tells_the_plan_and_does_nothing(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_events(3)
    settle_events()
    call_command("replay_events", "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "3 events would be replayed; nothing was done.",
        "  acme  thing.happened  3",
        "  switch  3",
    ]
    assert not Replay.objects.exists()


def test_retry_that_is_due_soon_is_waited_for(
    tenant: Tenant, settle_events: Callable[[], int]
) -> None:
    tries = []

    def flaky(event: Event) -> None:
        tries.append(event.id)
        if len(tries) == 2:
            raise Retry(after=0.3)
        if len(tries) < 2:
            raise RuntimeError("broken")

    with handler_of(
        "thing.happened", function=flaky, name="flaky", retry=RetryPolicy(max_attempts=1)
    ):
        make_event()
        settle_events()
    with handler_of(
        "thing.happened", function=flaky, name="flaky", retry=RetryPolicy(max_attempts=3)
    ):
        replay_events()
    assert Event.objects.get().status == "processed"
    assert len(tries) == 3


def test_retry_that_is_far_off_is_left_to_the_workers(
    tenant: Tenant, settle_events: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    switch = Switch()
    with handler_of("thing.happened", function=switch, name="switch"):
        make_event()
        settle_events()
    switch.error = Retry(after=3600)
    with handler_of(
        "thing.happened", function=switch, name="switch", retry=RetryPolicy(max_attempts=3)
    ):
        replay_events()
    assert "1 wait for a later retry" in capsys.readouterr().out
    assert Event.objects.get().status == "pending"


def test_handler_with_external_effects_runs_only_when_asked_for(
    tenant: Tenant, settle_events: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    switch = Switch()
    declared = {"effects": "external", "on_replay": "skip", "name": "switch"}
    with handler_of("thing.happened", function=switch, **declared):
        event = make_event()
        settle_events()
        assert Event.objects.get().status == "failed"
        switch.on = True
        call_command("replay_events", "--dry-run")
        assert "left out without --include-external" in capsys.readouterr().out
        replay_events()
        assert "Left out 1: only handlers with external effects" in capsys.readouterr().out
        assert switch.handled == []
        replay_events("--include-external")
    assert switch.handled == [event.id]
    assert Event.objects.get().status == "processed"
    assert Delivery.objects.get().attempts == 2


def test_replay_without_waiting_is_left_to_the_workers(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    make_event()
    settle_events()
    switch.on = True
    replay_events("--no-wait")
    assert switch.handled == []
    assert Replay.objects.get().status == "running"


def test_processed_event_is_run_again_at_a_named_handler(tenant: Tenant, switch: Switch) -> None:
    switch.on = True
    event = make_event()
    settle([event.id])
    replay_events("--status", "processed", "--handler", "switch")
    assert switch.handled == [event.id, event.id]


def test_nothing_to_replay_is_no_mistake(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    replay_events()
    assert "0 events selected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tenant", "nobody"], "no tenant “nobody”"),
        (["--type", "lead.creatd"], "no event type “lead.creatd”"),
        (["--since", "yesterday"], "no point in time"),
        (["--handler", "nobody"], "Unknown handler “nobody”"),
        (["--status", "processed"], "--handler"),
        (["--id", "5"], "ids: “5” is no id"),
        (["--group", "5"], "group: “5” is no id"),
        (["--pace", "0"], "--pace"),
        (["--stop-at", "100"], "--stop-at"),
        (["--reason", "  "], "--reason"),
    ],
)
def test_mistake_is_named_and_nothing_is_replayed(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    arguments: list[str],
    said: str,
) -> None:
    make_event()
    settle_events()
    with pytest.raises(CommandError, match=f"^[^\n]*{said}[^\n]*$"):
        replay_events(*arguments)
    assert not Replay.objects.exists()


def test_canary_that_fails_ends_the_command(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    make_events(40)
    settle_events()
    with pytest.raises(CommandError, match=r"1 of 1 events failed as before.*39 events were not"):
        replay_events("--canary")
    assert Replay.objects.get().status == "stopped"


def test_canary_with_a_pace_comes_to_its_end(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_events(40)
    settle_events()
    switch.on = True
    replay_events("--canary", "--pace", "60", "--stop-at", "5")
    replay = Replay.objects.get()
    assert (replay.status, replay.has_canary, replay.pace, replay.stop_percent) == (
        "finished",
        True,
        60,
        5,
    )
    assert "40 events selected, 40 processed, 0 left out" in capsys.readouterr().out


def test_group_means_what_failed_so_at_its_handler(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    other = Switch()
    with handler_of("thing.happened", function=other, name="other"):
        make_event()
        settle_events()
        switch.on = other.on = True
        fingerprint = FailureGroup.unscoped.get(handler="other").fingerprint
        replay_events("--group", str(fingerprint))
    assert (len(switch.handled), len(other.handled)) == (0, 1)


def test_unknown_id_selects_nothing(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int]
) -> None:
    make_event()
    settle_events()
    replay_events("--id", str(uuid7()))
    assert Replay.objects.get().selected == 0


def test_map_shows_model_event_and_handler(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("event_map")
    lines = capsys.readouterr().out.splitlines()
    assert "leads.Lead" in lines
    created = lines.index("├── lead.created  on create")
    handlers = [*takewhile(lambda line: line.startswith("│   "), lines[created + 1 :])]
    assert any("─ handle_lead_created  analytics.handlers" in line for line in handlers)
    assert "Published by services" in lines


# --- Giving up ----------------------------------------------------------------------------------


def test_failures_are_given_up_without_any_worker(
    tenant: Tenant,
    switch: Switch,
    settle_events: Callable[[], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_events(2)
    settle_events()
    call_command("replay_events", "--give-up", "--dry-run")
    assert "What failed of 2 events would be given up" in capsys.readouterr().out
    replay_events("--give-up", "--reason", "nobody will mend it")
    replay = Replay.objects.get()
    assert (replay.kind, replay.status, replay.reason) == (
        "give_up",
        "finished",
        "nobody will mend it",
    )
    assert "2 events selected, 2 given up, 0 left out" in capsys.readouterr().out
    assert set(Delivery.objects.values_list("status", flat=True)) == {"skipped"}
    assert Event.objects.filter(status="processed").count() == 2


@pytest.mark.parametrize("how", [("--canary",), ("--pace", "5"), ("--include-external",)])
def test_nobody_tells_the_command_how_to_run_what_is_given_up(
    tenant: Tenant, switch: Switch, settle_events: Callable[[], int], how: tuple[str, ...]
) -> None:
    make_event()
    settle_events()
    with pytest.raises(CommandError, match="Nothing runs"):
        replay_events("--give-up", *how)
    assert Event.objects.get().status == "failed"
