"""What the tables should say after anything that can happen to events: a model of a few lines.

`tests/events/test_states_model.py` does to the engine and to this model the same.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

MAX_ATTEMPTS = 3
DATABASE_HANDLERS = ["writes", "writes_all", "writes_in_order"]
EXTERNAL_HANDLERS = ["calls", "calls_in_order"]
HANDLERS = DATABASE_HANDLERS + EXTERNAL_HANDLERS
ORDERED = {"writes_in_order", "calls_in_order"}


class Killed(BaseException):
    """What a worker sees of SIGKILL: nothing that its code could catch."""


@dataclass
class ModelDelivery:
    """What the tables should say of one event at one handler."""

    status: str = "pending"
    attempts: int = 0
    failures: int = 0
    replay: UUID | None = None
    history: list[tuple[int, str]] = field(default_factory=list)

    @property
    def is_unfinished(self) -> bool:
        """Whether the handler has still to run."""
        return self.status in ("pending", "running")

    def succeed(self) -> None:
        """A counted attempt went well; the first one is not written down."""
        self.status, self.failures = "succeeded", 0
        if self.attempts > 1 or self.replay:
            self.history.append((self.attempts, "succeeded"))

    def fail(self, is_final: bool = False) -> None:
        """A counted attempt failed."""
        self.failures += 1
        self.history.append((self.attempts, "failed"))
        self.status = "failed" if is_final or self.failures >= MAX_ATTEMPTS else "pending"


@dataclass
class ModelEvent:
    """One event; without deliveries nobody has taken it yet."""

    id: UUID
    subject: UUID
    deliveries: dict[str, ModelDelivery] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The aggregate over its deliveries."""
        statuses = {delivery.status for delivery in self.deliveries.values()}
        if not statuses or any(each.is_unfinished for each in self.deliveries.values()):
            return "pending"
        return "failed" if "failed" in statuses else "processed"


@dataclass
class ModelReplay:
    """A replay: number of the event → what came of it."""

    items: dict[int, str]
    is_finished: bool = False
    is_pruned: bool = False


@dataclass
class World:
    """Everything that the tables, and the services outside, should hold.

    Attributes:
        plan: what a handler does with an event: (number, handler) → outcome; else it succeeds.
        effects: committed effects of database handlers, by event id and handler.
        calls: calls of external handlers, by idempotency key.
        paused: the handlers that nobody calls.
    """

    events: dict[int, ModelEvent] = field(default_factory=dict)
    replays: dict[UUID, ModelReplay] = field(default_factory=dict)
    plan: dict[tuple[int, str], str] = field(default_factory=dict)
    effects: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    paused: set[str] = field(default_factory=set)

    def outcome(self, number: int, handler: str) -> str:
        """What the handler does with that event."""
        return self.plan.get((number, handler), "succeed")

    def numbers(self, status: str) -> list[int]:
        """The events of that status."""
        return [number for number, event in self.events.items() if event.status == status]

    def has_to_wait(self, number: int, handler: str) -> bool:
        """Whether an ordered handler has yet to do an earlier event of the same subject."""
        return self.blocker(number, handler) is not None

    def blocker(self, number: int, handler: str) -> ModelDelivery | None:
        """What an ordered handler has to do first: its delivery of an earlier event."""
        subject = self.events[number].subject
        earlier = (
            event.deliveries.get(handler, ModelDelivery())
            for before, event in sorted(self.events.items())
            if handler in ORDERED and before < number and event.subject == subject
        )
        return next((each for each in earlier if each.status not in ("succeeded", "skipped")), None)

    def settle(self, numbers: Iterable[int], due: set[tuple[int, str]]) -> None:
        """A worker takes these events; `due` are the known deliveries whose time has come.

        Raises:
            Killed: by a handler; then nothing of this has happened.
        """
        for number in sorted(set(numbers) & set(self.numbers("pending"))):
            event = self.events[number]
            if not event.deliveries:
                event.deliveries = {handler: ModelDelivery() for handler in HANDLERS}
                due = due | {(number, handler) for handler in HANDLERS}
            for handler, delivery in event.deliveries.items():
                is_external = handler in EXTERNAL_HANDLERS
                is_due = delivery.status == "pending" and (number, handler) in due
                if not is_due or (handler in self.paused and not is_external):
                    continue
                blocker = self.blocker(number, handler)
                if blocker and blocker.status == "failed" and delivery.replay:
                    # Waiting for what was given up, a replay would never end.
                    delivery.attempts += 1
                    delivery.fail(is_final=True)
                elif not blocker and not is_external:
                    self._run(number, handler, delivery)
            self.answer_replays(number)

    def _run(self, number: int, handler: str, delivery: ModelDelivery) -> None:
        outcome = self.outcome(number, handler)
        if outcome == "die":
            raise Killed
        delivery.attempts += 1
        if outcome == "succeed":
            delivery.succeed()
            self.effects[self.events[number].id, handler] += 1
        else:
            delivery.fail(is_final=outcome == "give up")

    def call(self, number: int, handler: str) -> None:
        """A worker calls an external handler."""
        event, outcome = self.events[number], self.outcome(number, handler)
        delivery = event.deliveries[handler]
        delivery.attempts += 1
        self.calls[f"{event.id}:{handler}"] += 1
        if outcome == "die":
            delivery.status = "running"
        elif outcome == "succeed":
            delivery.succeed()
        else:
            delivery.fail(is_final=outcome == "give up")
        self.answer_replays(number)

    def lose_leases(self) -> None:
        """The sweeper finds the calls whose workers died."""
        for number, event in self.events.items():
            for delivery in event.deliveries.values():
                if delivery.status == "running":
                    delivery.fail()
            self.answer_replays(number)

    def replay(
        self, replay_id: UUID, numbers: Iterable[int], handlers: list[str], with_external: bool
    ) -> None:
        """An admin replays these events, and its items are released at once."""
        self.replays[replay_id] = ModelReplay(
            {
                number: self._release(replay_id, number, handlers, with_external)
                for number in numbers
            }
        )
        self.finish_replays([replay_id])

    def _release(
        self, replay_id: UUID, number: int, handlers: list[str], with_external: bool
    ) -> str:
        deliveries = self.events[number].deliveries
        if any(each.replay and each.is_unfinished for each in deliveries.values()):
            return "skipped"
        # What is skipped was given up, and runs where its handler is named.
        may_run = {"failed", "succeeded", "skipped"} if handlers else {"failed"}
        chosen = [
            delivery
            for name, delivery in deliveries.items()
            if delivery.status in may_run
            and (name in handlers or not handlers)
            and (with_external or name not in EXTERNAL_HANDLERS)
        ]
        for delivery in chosen:
            delivery.status, delivery.failures, delivery.replay = "pending", 0, replay_id
        return "released" if chosen else "skipped"

    def give_up(self, replay_id: UUID, number: int, handler: str) -> None:
        """An admin gives up what failed of this event at that handler."""
        deliveries = self.events[number].deliveries
        is_another_replays = any(each.replay and each.is_unfinished for each in deliveries.values())
        delivery = deliveries[handler]
        if not is_another_replays:
            delivery.status, delivery.failures, delivery.replay = "skipped", 0, replay_id
        outcome = "skipped" if is_another_replays else "succeeded"
        self.replays[replay_id] = ModelReplay({number: outcome}, is_finished=True)

    def answer_replays(self, number: int) -> None:
        """Where all that a replay has released of the event has ended, tell it so."""
        deliveries = self.events[number].deliveries.values()
        for replay_id, replay in self.replays.items():
            released = [each for each in deliveries if each.replay == replay_id]
            if replay.items.get(number) == "released" and not any(
                each.is_unfinished for each in released
            ):
                has_failed = any(each.status == "failed" for each in released)
                replay.items[number] = "failed" if has_failed else "succeeded"

    def finish_replays(self, ids: Iterable[UUID]) -> None:
        """Somebody looks whether these replays have had all their answers."""
        for replay in map(self.replays.__getitem__, ids):
            replay.is_finished |= "released" not in replay.items.values()

    def prune(self) -> None:
        """All that is settled is old enough to go."""
        held_back = {self.events[number].subject for number in self.numbers("pending")}
        self.events = {
            number: event
            for number, event in self.events.items()
            if event.status == "pending"
            or (event.status == "failed" and event.subject in held_back)
        }
        for replay in self.replays.values():
            replay.is_pruned |= replay.is_finished
