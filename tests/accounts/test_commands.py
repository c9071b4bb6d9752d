import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from leads.models import Pipeline
from salesflow.accounts.commands import duration, moment
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import ApiKey, Tenant
from tests.api.clients import ApiClient
from tests.factories import make_tenant


@pytest.mark.django_db
def test_new_tenant_can_work_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_tenant", "acme", name="Acme GmbH", language="de")
    tenant = Tenant.objects.get(slug="acme")
    assert (tenant.name, tenant.language) == ("Acme GmbH", "de")
    assert str(tenant.id) in capsys.readouterr().out
    with tenant_context(tenant):
        assert Pipeline.objects.get().stages.count() == 6


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("slug", "options", "named"),
    [
        ("taken", {"name": "Taken"}, "slug"),
        ("not a slug", {"name": "X"}, "slug"),
        ("x" * 51, {"name": "X"}, "slug"),
        ("fine", {"name": "X", "time_zone": "Mars/Olympus"}, "time_zone"),
        ("fine", {"name": "X", "language": "tlh"}, "language"),
        ("fine", {"name": ""}, "name"),
    ],
)
def test_tenant_that_cannot_be_is_refused_in_one_line(
    slug: str, options: dict[str, str], named: str
) -> None:
    make_tenant("taken")
    with pytest.raises(CommandError, match=f"^{named}: [^\n]+$"):
        call_command("create_tenant", slug, **options)
    assert Tenant.objects.count() == 1


@pytest.mark.django_db
def test_printed_key_opens_the_tenants_data(
    capsys: pytest.CaptureFixture[str], tenant: Tenant
) -> None:
    call_command("create_api_key", tenant="acme", name="Zapier")
    printed = capsys.readouterr().out
    key = printed.strip()
    assert printed == f"{key}\n"
    assert ApiKey.objects.get().name == "Zapier"
    assert ApiClient(key).get("/api/leads").status_code == 200


@pytest.mark.django_db
def test_key_for_an_unknown_tenant_is_refused_with_the_known_ones(tenant: Tenant) -> None:
    with pytest.raises(CommandError, match=r"no tenant “acmee”.*acme"):
        call_command("create_api_key", tenant="acmee", name="Zapier")
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "  ", "x" * 51])
def test_key_needs_a_name(tenant: Tenant, name: str) -> None:
    with pytest.raises(CommandError, match="--name"):
        call_command("create_api_key", tenant="acme", name=name)


@pytest.mark.journey
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create_tenant", "acme"], "the following arguments are required: --name; see --help."),
        (["create_api_key", "--tenant", "nobody", "--name", "x"], "There is no tenant “nobody”"),
        (["prune_events", "--older-than", "long"], "“long” is no time span"),
        (["replay_events", "--status", "broken"], "invalid choice: 'broken'"),
    ],
)
def test_mistake_is_one_line_on_standard_error_and_status_1(
    service_environment: dict[str, str], arguments: list[str], said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=service_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        (" 2W ", timedelta(weeks=2)),
        ("0s", timedelta()),
    ],
)
def test_time_spans_are_understood(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "90", "d", "-5d", "5 days", "1.5d", "9" * 30 + "d", "٣d"])
def test_what_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="no time span"):
        duration(text)


def test_points_in_time_are_understood() -> None:
    assert moment("2026-01-31").isoformat() == "2026-01-31T00:00:00+00:00"
    assert moment("2026-01-31T18:00").isoformat() == "2026-01-31T18:00:00+00:00"
    assert moment("2026-01-31T18:00+02:00").isoformat() == "2026-01-31T18:00:00+02:00"
    assert abs(moment("24h") - (timezone.now() - timedelta(days=1))) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "2026-13-01", "12:00", "0000-01-01"]
)
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="no point in time"):
        moment(text)
