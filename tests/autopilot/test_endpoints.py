"""Endpoints: which one is asked, who may change what, and where keys go."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from pydantic import SecretStr
from pytest_django import Settings

from channels.autopilot.completions import Takes
from channels.autopilot.connecting import (
    activate_endpoint,
    connect_endpoint,
    deactivate_endpoint,
    edit_endpoint,
    make_default,
    resume_endpoint,
)
from channels.autopilot.endpoints import Settings as HowToAsk
from channels.autopilot.endpoints import (
    client_of,
    endpoint_for,
    endpoint_of_installation,
    entered_prices,
    has_key,
    keep_endpoint,
    note_answer,
    note_error,
    settings_of,
    stop_endpoint,
)
from channels.autopilot.health import health_of
from channels.autopilot.models import Endpoint
from channels.autopilot.outcomes import AiError, Outcome
from channels.autopilot.prices import Prices
from events.models import AuditLine
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.autopilot.endpoint import KEY, Server
from tests.autopilot.factories import entered, make_endpoint
from tests.factories import make_tenant, make_user


@pytest.fixture(autouse=True)
def private(settings: Settings) -> None:
    settings.AI_PRIVATE_ADDRESSES = True


@pytest.fixture
def installation(settings: Settings) -> Settings:
    settings.AI_BASE_URL = "http://127.0.0.1:9/v1"
    settings.AI_MODEL = "shared-model"
    settings.AI_API_KEY = "sk-shared"
    return settings


# --- Connecting -----------------------------------------------------------------------------------


def test_key_is_encrypted_and_told_to_nobody_but_the_server(tenant: Tenant, server: Server) -> None:
    endpoint = Endpoint.objects.get(pk=make_endpoint(server).pk)
    assert KEY not in repr(endpoint.secrets)
    assert KEY.encode() not in bytes(endpoint.secrets.stored)
    assert KEY not in repr(client_of(endpoint))
    assert client_of(endpoint).key.get_secret_value() == KEY


def test_first_one_is_asked_and_another_only_if_it_is_chosen(
    tenant: Tenant, server: Server
) -> None:
    assert endpoint_for(tenant) is None
    first = connect_endpoint(entered(server), is_default=False)
    second = connect_endpoint(entered(server), is_default=False)
    assert endpoint_for(tenant) == first
    make_default(second)
    assert endpoint_for(tenant) == second
    assert Endpoint.objects.filter(is_default=True).count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "  "),
        ("name", "KNOWN"),
        ("model", ""),
        ("base_url", ""),
        ("base_url", "example.com/v1"),
        ("base_url", "https://user:secret@example.com/v1"),
        ("base_url", "https://example.com/v1?key=secret"),
        ("base_url", "http://169.254.169.254/v1"),
        ("base_url", "https://example.com/v1/chat/completions"),
        ("key", SecretStr("sk with blanks")),
        ("key", SecretStr("sk-\nline")),
        ("key", SecretStr("schlüssel")),
    ],
)
def test_what_cannot_be_used_is_named(
    tenant: Tenant, server: Server, name: str, value: object
) -> None:
    make_endpoint(server, name="Known")
    with pytest.raises(ValidationError) as caught:
        connect_endpoint(entered(server, **{name: value}))
    assert list(caught.value.message_dict) == [name]
    assert Endpoint.objects.count() == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://10.0.0.7/v1"])
def test_private_addresses_are_refused_unless_the_settings_allow_them(
    tenant: Tenant, server: Server, settings: Settings, url: str
) -> None:
    settings.AI_PRIVATE_ADDRESSES = False
    with pytest.raises(ValidationError) as caught:
        connect_endpoint(entered(server, base_url=url))
    assert list(caught.value.message_dict) == ["base_url"]


def test_prices_are_kept_to_the_last_digit(tenant: Tenant, server: Server) -> None:
    prices = Prices(Decimal("0.123456"), Decimal("1.000001"), None, Decimal("0.1"))
    endpoint = make_endpoint(server, prices=prices)
    assert entered_prices(Endpoint.objects.get(pk=endpoint.pk)) == prices
    assert entered_prices(make_endpoint(server, prices=None)) is None


# --- Editing --------------------------------------------------------------------------------------


def test_key_stays_where_none_is_typed_and_goes_where_it_is_forgotten(
    tenant: Tenant, server: Server
) -> None:
    endpoint = make_endpoint(server)
    endpoint = edit_endpoint(endpoint, entered(server, key=None, model="other"))
    assert (endpoint.model, has_key(endpoint)) == ("other", True)
    endpoint = edit_endpoint(endpoint, entered(server, key=SecretStr("")))
    assert not has_key(endpoint)


def test_stored_key_is_never_sent_to_another_server(tenant: Tenant, server: Server) -> None:
    endpoint = make_endpoint(server)
    elsewhere = "https://attacker.example.com/v1"
    with pytest.raises(ValidationError) as caught:
        edit_endpoint(endpoint, entered(server, key=None, base_url=elsewhere))
    assert list(caught.value.message_dict) == ["key"]
    edit_endpoint(endpoint, entered(server, key=None, base_url=f"{server.url}/other"))
    edit_endpoint(endpoint, entered(server, key=SecretStr("sk-new"), base_url=elsewhere))
    assert client_of(Endpoint.objects.get()).key.get_secret_value() == "sk-new"


def test_edited_endpoint_is_asked_again_and_anew(tenant: Tenant, server: Server) -> None:
    endpoint = make_endpoint(server)
    note_answer(endpoint, Takes(form="text"))
    stop_endpoint(endpoint, "no money left")
    endpoint = edit_endpoint(endpoint, entered(server, name=endpoint.name, key=None))
    assert (endpoint.stopped_at, client_of(endpoint).takes.form) == (None, "text")
    endpoint = edit_endpoint(endpoint, entered(server, key=None, model="another"))
    assert client_of(endpoint).takes == Takes()


def test_what_people_do_is_written_down_without_the_key(tenant: Tenant, server: Server) -> None:
    actor = make_user(tenant)
    endpoint = connect_endpoint(entered(server), actor=actor)
    edit_endpoint(endpoint, entered(server, key=SecretStr("sk-another-secret")), actor=actor)
    deactivate_endpoint(endpoint, actor=actor)
    activate_endpoint(endpoint, actor=actor)
    resume_endpoint(endpoint, actor=actor)
    lines = AuditLine.objects.order_by("id")
    assert [line.action.partition(".")[2] for line in lines] == [
        "connected",
        "edited",
        "deactivated",
        "activated",
        "resumed",
    ]
    assert "key" in lines[1].details["changed"]
    assert not any(word in repr(lines.values()) for word in (KEY, "sk-another-secret"))


# --- Taking out of use ----------------------------------------------------------------------------


def test_another_one_is_asked_when_one_goes_out_of_use(tenant: Tenant, server: Server) -> None:
    first, second = make_endpoint(server), make_endpoint(server)
    assert deactivate_endpoint(second) == first
    assert endpoint_for(tenant) == first
    with pytest.raises(ValidationError):
        make_default(second)
    assert deactivate_endpoint(first) is None
    activate_endpoint(second)
    assert endpoint_for(tenant) == second


# --- The installation's ---------------------------------------------------------------------------


def test_tenant_without_one_asks_the_installations(
    tenant: Tenant, server: Server, installation: Settings
) -> None:
    shared = endpoint_for(tenant)
    assert shared
    assert shared.is_of_installation
    called = client_of(shared)
    told = (called.base_url, called.model, called.key.get_secret_value(), called.allows_private)
    assert told == ("http://127.0.0.1:9/v1", "shared-model", "sk-shared", True)
    assert not Endpoint.objects.exists()
    own = make_endpoint(server)
    assert endpoint_for(tenant) == own
    deactivate_endpoint(own)
    assert endpoint_for(tenant) == shared


def test_each_tenant_has_the_installations_for_itself(
    tenant: Tenant, installation: Settings
) -> None:
    mine = endpoint_for(tenant)
    assert mine
    keep_endpoint(mine)
    keep_endpoint(mine)
    stop_endpoint(mine, "no money left")
    note_error(mine, "no money left")
    other = make_tenant()
    with tenant_context(other):
        theirs = endpoint_for(other)
        assert theirs
        assert (theirs.pk == mine.pk, theirs.stopped_at) == (False, None)
    again = endpoint_for(tenant)
    assert again
    assert (again.pk, again.stopped_reason) == (mine.pk, "no money left")


def test_nobody_changes_where_the_installations_is(
    tenant: Tenant, server: Server, installation: Settings
) -> None:
    shared = endpoint_for(tenant)
    assert shared
    edit_endpoint(shared, entered(server, settings=HowToAsk(temperature=1)))
    row = Endpoint.objects.get()
    assert (row.base_url, row.model, has_key(row)) == ("", "", True)
    assert not dict(row.secrets)
    assert (settings_of(row).temperature, entered_prices(row) is None) == (1, False)
    with pytest.raises(ValidationError):
        make_default(row)


def test_installations_can_be_taken_out_of_use_and_is_gone_with_its_setting(
    tenant: Tenant, installation: Settings
) -> None:
    shared = endpoint_for(tenant)
    assert shared
    assert deactivate_endpoint(shared) is None
    assert endpoint_for(tenant) is None
    activate_endpoint(shared)
    assert endpoint_for(tenant) == shared
    installation.AI_BASE_URL = ""
    assert (endpoint_for(tenant), endpoint_of_installation(tenant)) == (None, None)


# --- What calls find out --------------------------------------------------------------------------


def test_key_under_a_lost_secret_is_told_in_words(
    tenant: Tenant, server: Server, settings: Settings
) -> None:
    row = Endpoint.objects.get(pk=make_endpoint(server).pk)
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(AiError) as caught:
        client_of(row)
    error = caught.value
    assert (error.outcome, error.is_permanent, error.stops_endpoint) == (
        Outcome.UNAUTHORIZED,
        True,
        True,
    )
    assert has_key(row)


def test_health_says_in_words_how_it_is(tenant: Tenant, server: Server) -> None:
    endpoint = make_endpoint(server)

    def health() -> tuple[str, str, str]:
        row = Endpoint.objects.get(pk=endpoint.pk)
        found = health_of([row])[row.pk]
        return str(found.label), found.tone, found.reason

    assert health() == ("Not used yet", "", "")
    note_error(endpoint, "busy")
    assert health() == ("The last try failed", "warn", "busy")
    endpoint.refresh_from_db()
    note_answer(endpoint, Takes())
    assert health() == ("Works", "good", "")
    stop_endpoint(endpoint, "wrong key")
    stop_endpoint(endpoint, "said later")
    assert health() == ("Stopped", "bad", "wrong key")
    deactivate_endpoint(endpoint)
    assert health() == ("Not in use", "", "")


def test_settings_that_make_no_sense_any_more_are_as_by_default(
    tenant: Tenant, server: Server
) -> None:
    endpoint = make_endpoint(server)
    endpoint.settings, endpoint.takes = {"deadline": 9000, "unknown": 1}, {"form": "smoke"}
    assert settings_of(endpoint) == HowToAsk()
    assert client_of(endpoint).takes == Takes()
    assert client_of(endpoint).options == {"temperature": 0.2}
    endpoint.settings = {"temperature": None}
    assert client_of(endpoint).options == {}
