"""Declaring handlers: mistakes are told at start, in a sentence."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from events import BreakerPolicy, register_event_handler
from events.models import Event
from events.registry import (
    Handler,
    add_handler,
    check_event_types,
    get_handler,
    remove_handler,
)
from events.testing import handler_of


def _handler(name: str, *types: str) -> Handler:
    return Handler(name=name, function=print, types=frozenset(types))


def test_second_handler_of_a_name_is_refused() -> None:
    with (
        handler_of("lead.created", function=print, name="mine"),
        pytest.raises(ImproperlyConfigured, match="Two handlers are called “mine”"),
    ):
        add_handler(_handler("mine", "lead.created"))


def test_handler_of_no_type_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="names no event type"):
        add_handler(_handler("idle"))


def test_unknown_type_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"lead\.creatd.*Did you mean “lead\.created”"):
        check_event_types([_handler("typo", "lead.creatd")])


def test_external_batch_handler_is_refused() -> None:
    handler = Handler("many", print, frozenset(["lead.created"]), effects="external", batch=True)
    with pytest.raises(ImproperlyConfigured, match="cannot take batches"):
        add_handler(handler)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            {"timeout": 5.0},
            "has database effects: timeout, concurrency and breaker are of external",
        ),
        ({"concurrency": 2}, "has database effects"),
        ({"breaker": None}, "has database effects"),
        ({"effects": "external", "timeout": 0.0}, "timeout of 0 s: give one up to 600 s"),
        ({"effects": "external", "timeout": 601.0}, "timeout of 601 s"),
        ({"effects": "external", "concurrency": 0}, "concurrency of 0: give 1 or more"),
    ],
)
def test_option_that_makes_no_sense_is_refused(declared: dict[str, Any], problem: str) -> None:
    handler = Handler("odd", print, frozenset(["lead.created"]), **declared)
    with pytest.raises(ImproperlyConfigured, match=f"Handler “odd” .*{problem}"):
        add_handler(handler)


def test_external_handler_keeps_what_it_declares() -> None:
    policy = BreakerPolicy(minimum=3)

    @register_event_handler(
        "lead.created", effects="external", timeout=5, concurrency=2, breaker=policy
    )
    def declared(event: Event) -> None: ...

    try:
        handler = get_handler("declared")
        assert handler
        assert (handler.timeout, handler.concurrency, handler.breaker) == (5, 2, policy)
    finally:
        remove_handler("declared")


def _start_with_app(tmp_path: Path, handlers: str) -> "subprocess.CompletedProcess[str]":
    """Start Django with a third-party app that has nothing but a `handlers.py`."""
    app = tmp_path / "thirdparty"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "handlers.py").write_text(handlers)
    code = (
        "import django; django.setup(); from events.registry import all_handlers;"
        "print([h.name for h in all_handlers() if h.module == 'thirdparty.handlers'])"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": "",
            "PYTHONPATH": f"{tmp_path}:{Path.cwd()}",
            "DJANGO_SETTINGS_MODULE": "salesflow.settings",
            "SALESFLOW_EXTRA_APPS": "thirdparty",
            "SALESFLOW_SECRET_KEY": "x" * 50,
        },
        capture_output=True,
        text=True,
        check=False,
    )


DECLARATION = """
from events import EventType, register_event_handler

@register_event_handler({types})
def my_custom_handler(event): ...
"""


def test_handlers_module_of_a_third_party_app_is_found(tmp_path: Path) -> None:
    result = _start_with_app(tmp_path, DECLARATION.format(types="EventType.LEAD_CREATED"))
    assert result.stdout.strip() == "['my_custom_handler']", result.stderr


def test_start_fails_with_a_sentence_for_an_unknown_type(tmp_path: Path) -> None:
    result = _start_with_app(tmp_path, DECLARATION.format(types="'lead.exploded'"))
    assert result.returncode == 1
    assert "unknown event type “lead.exploded”" in result.stderr.splitlines()[-1]


def test_start_fails_with_a_sentence_for_a_name_used_twice(tmp_path: Path) -> None:
    once = DECLARATION.format(types="EventType.LEAD_CREATED")
    result = _start_with_app(tmp_path, once + once)
    assert result.returncode == 1
    assert "Two handlers are called “my_custom_handler”" in result.stderr.splitlines()[-1]
