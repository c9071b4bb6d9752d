"""Endpoints of tenants, runs, and an action that does as it is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count

from pydantic import BaseModel, SecretStr

from channels.autopilot import actions
from channels.autopilot.actions import Prompt
from channels.autopilot.completions import Completion
from channels.autopilot.connecting import Entered, connect_endpoint
from channels.autopilot.endpoints import Settings
from channels.autopilot.models import ActionType, Endpoint, Run
from channels.autopilot.outcomes import Outcome
from channels.autopilot.prices import Prices
from channels.autopilot.runs import request_run
from leads.models import Lead
from tests.autopilot.endpoint import KEY, MODEL, Server, messages
from tests.channels.factories import make_reachable_lead

_numbers = count(1)
MOST_TOKENS = 40
# What the endpoint of the tests tells of its tokens, by the prices below.
PRICES = Prices(Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))


def entered(server: Server, **fields: object) -> Entered:
    """The endpoint of a test, as somebody enters it."""
    given = {
        "name": f"Endpoint {next(_numbers)}",
        "base_url": server.url,
        "model": MODEL,
        "key": SecretStr(KEY),
        "settings": Settings(deadline=30, silence=20),
        "prices": PRICES,
    }
    return Entered(**given | fields)  # type: ignore[arg-type]


def make_endpoint(server: Server, **fields: object) -> Endpoint:
    """An endpoint of the current tenant, which it asks."""
    return connect_endpoint(entered(server, **fields))


def make_run(lead: Lead | None = None, key: str = "", **fields: object) -> Run:
    """A run that waits to be performed; what performs it has to be `doing`."""
    run = request_run(
        ActionType.SUMMARISE,
        key=key or f"test:{next(_numbers)}",
        lead=lead or make_reachable_lead(),
        **fields,  # type: ignore[arg-type]
    )
    assert run
    return run


class Answer(BaseModel):
    """What the action asks for, if it asks for a form."""

    number: int


class Scripted:
    """An action that asks for a word, and makes of the answer what it is told.

    Attributes:
        applied: the answers that it was given.
        on_build, on_apply: called with the run, before anything else; may raise.
    """

    def __init__(self, schema: type[BaseModel] | None = None) -> None:
        self.schema = schema
        self.outcome = Outcome.SUMMARISED
        self.applied: list[Completion] = []
        self.on_build: Callable[[Run], None] = lambda run: None
        self.on_apply: Callable[[Run], None] = lambda run: None

    def build(self, run: Run) -> Prompt:
        """A short prompt."""
        self.on_build(run)
        return Prompt("test", "1", messages(), self.schema, MOST_TOKENS)

    def apply(self, run: Run, completion: Completion) -> Outcome:
        """Keep the answer."""
        self.on_apply(run)
        self.applied.append(completion)
        return self.outcome


@contextmanager
def doing(action: Scripted) -> Iterator[Scripted]:
    """Let it do what runs of `make_run` ask for, for the length of a block."""
    before = actions.ACTIONS.get(ActionType.SUMMARISE)
    actions._actions[ActionType.SUMMARISE] = action
    try:
        yield action
    finally:
        del actions._actions[ActionType.SUMMARISE]
        if before:
            actions.register_action(ActionType.SUMMARISE, before)
