"""What the settings say of the model of all tenants is checked, and no check tells the key."""

import pytest
from pytest_django import Settings

from channels.autopilot.checks import check_model

RIGHT = {"AI_BASE_URL": "https://api.example.com/v1", "AI_MODEL": "gpt-x", "AI_API_KEY": "sk-1"}


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, []),
        ({"AI_BASE_URL": "http://127.0.0.1:8080/v1", "AI_API_KEY": ""}, []),
        ({"AI_BASE_URL": "", "AI_MODEL": "", "AI_API_KEY": ""}, []),
        ({"AI_BASE_URL": "api.example.com"}, ["autopilot.E001"]),
        ({"AI_BASE_URL": "https://user:pass@api.example.com"}, ["autopilot.E001"]),
        ({"AI_BASE_URL": "http://169.254.169.254/v1"}, ["autopilot.E001"]),
        ({"AI_MODEL": ""}, ["autopilot.E002"]),
        ({"AI_BASE_URL": ""}, ["autopilot.W001"]),
        ({"AI_API_KEY": "hunter2 and more"}, ["autopilot.E003"]),
    ],
)
def test_what_cannot_be_used_is_named_with_what_to_do(
    settings: Settings, changed: dict[str, str], ids: list[str]
) -> None:
    for name, value in (RIGHT | changed).items():
        setattr(settings, name, value)
    found = check_model()
    assert [message.id for message in found] == ids
    for message in found:
        assert message.hint
        assert "hunter2" not in f"{message.msg} {message.hint}"
