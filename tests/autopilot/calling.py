"""Calls that go wrong, and what they have to cost."""

import pytest
from pydantic import BaseModel, SecretStr

from channels.autopilot.client import Endpoint, complete, prompt_bytes
from channels.autopilot.completions import Usage
from channels.autopilot.outcomes import AiError
from tests.autopilot.endpoint import KEY, MODEL, Server, messages

PROMPT = messages("Grüße, was kostet es?")
# Three bytes a token, rounded up.
ASKED = -(-prompt_bytes(PROMPT) // 3)
MOST = 40
SAID = Usage(prompt_tokens=30, cached_tokens=10, completion_tokens=5)


def estimated(text: str) -> Usage:
    return Usage(ASKED, 0, -(-len(text.encode()) // 3), 0, is_estimated=True)


ALL_OF_IT = Usage(ASKED, 0, MOST, 0, is_estimated=True)


def fail(
    server: Server,
    *,
    url: str = "",
    deadline: float = 30,
    silence: float = 20,
    schema: type[BaseModel] | None = None,
    allows_private: bool = True,
) -> AiError:
    endpoint = Endpoint(
        base_url=url or server.url,
        model=MODEL,
        key=SecretStr(KEY),
        allows_private=allows_private,
        silence=silence,
    )
    with pytest.raises(AiError) as caught:
        complete(endpoint, PROMPT, schema=schema, max_tokens=MOST, deadline=deadline)
    assert caught.value.__context__ is None
    return caught.value
