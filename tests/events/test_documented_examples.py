"""The examples in docs/testing.md, run as the tests that they are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from events import registry

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def code_of(page: Path) -> str:
    """The page's Python, each line where the page has it, so that tracebacks lead there."""
    text = page.read_text()
    code = [""] * len(text.splitlines())
    for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        first = text[: block.start(1)].count("\n")
        lines = block.group(1).splitlines()
        code[first : first + len(lines)] = lines
    return "\n".join(code)


_others = {handler.name for handler in registry.all_handlers()}
exec(compile(code_of(PAGE), str(PAGE), "exec"))
_examples = [handler for handler in registry.all_handlers() if handler.name not in _others]
for _example in _examples:
    registry.remove_handler(_example.name)


@pytest.fixture(autouse=True)
def _example_handlers() -> Iterator[None]:
    """The page's handlers, in its tests alone."""
    for example in _examples:
        registry.add_handler(example)
    yield
    for example in _examples:
        registry.remove_handler(example.name)


def test_page_has_examples() -> None:
    assert len(_examples) == 2
    assert sum(name.startswith("test_") for name in globals()) > 5
