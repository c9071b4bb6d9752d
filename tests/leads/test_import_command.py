"""The command as it is typed, in this process and as a real one."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum

from events.models import Event, EventStatus
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.leads.factories import make_csv

SAMPLE = settings.BASE_DIR.parent / "shared/data/crm-opportunities/sales_pipeline.csv"
SAMPLE_MAPPING = [
    *("external_id=opportunity_id", "company=account", "stage=deal_stage", "owner=sales_agent"),
    *("created_at=engage_date", "closed_at=close_date", "value=close_value"),
    "custom.product=product",
]


def run(path: Path, *options: str, tenant: str = "acme") -> str:
    out = StringIO()
    call_command("import_leads", str(path), "--tenant", tenant, *options, stdout=out)
    return out.getvalue()


def make_opportunities(path: Path, count: int) -> Path:
    """A file of the sample's shape: four stages in turn, two-digit years, holes in it."""
    rows = []
    for number in range(count):
        stage = ["Won", "Engaging", "Lost", "Prospecting"][number % 4]
        closed = number % 4 in (0, 2)
        rows.append(
            [
                f"OPP{number:05}",
                ["Moses Frase", "Darcel Schlecht"][number % 2],
                "GTX Pro",
                "" if number % 7 == 0 else f"Company {number}",
                stage,
                "" if stage == "Prospecting" else f"{number % 28 + 1:02}-10-16",
                f"{number % 28 + 1:02}-03-17" if closed else "",
                ["1054", "", "0", ""][number % 4],
            ]
        )
    header = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date"
    return make_csv(path, [*header.split(","), "close_value"], rows)


def test_a_summary_is_printed(tenant: Tenant, tmp_path: Path) -> None:
    path = make_opportunities(tmp_path / "sales.csv", 1400)

    said = run(path, "--map", *SAMPLE_MAPPING)

    assert "sales.csv: 1,400 rows (utf-8, comma)" in said
    assert "1,400 leads created, 0 updated, 0 unchanged, 0 rows left out" in said
    assert "350 won worth 368,900.00 USD, 350 lost, 700 open" in said
    assert "Prospecting (15 %)" in said
    assert "sales.csv.errors.csv" in said
    assert "1,400 unchanged" in run(path, "--map", *SAMPLE_MAPPING)


def test_map_may_be_repeated_and_hold_several(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["a", "b", "c"], [["Ada", "Acme", "fair"]])

    run(path, "--map", "name=a", "company=b", "--map", "custom.origin=c")

    lead = Lead.objects.get()
    assert (lead.name, lead.company, lead.custom_fields) == ("Ada", "Acme", {"origin": "fair"})


def test_json_tells_the_same_to_programs(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["name", "value"], [["Ada", "5"], ["Bob", "x"]])

    summary = json.loads(run(path, "--json", "--map", "name=name", "value=value"))

    assert summary["created"] == 1
    assert summary["rejected"] == 1
    assert summary["won_value"] == {}
    assert summary["errors_file"] == f"{path}.errors.csv"
    request_ids = Event.objects.values_list("request_id", flat=True)
    assert set(request_ids) == {summary["request_id"]}


def test_rows_with_trouble_are_listed_and_run_no_formula(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(
        tmp_path / "f.csv", ["name", "=v"], [["Ada", "=2+5"], ["Bob", "@SUM(A1)"], ["Cy", "3"]]
    )

    run(path, "--map", "name=name", "value==v", "--errors", str(tmp_path / "bad.csv"))

    with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["column"], row["value"], row["imported"]) for row in rows] == [
        ("2", "'=v", "'=2+5", "no"),
        ("3", "'=v", "'@SUM(A1)", "no"),
    ]
    assert "no amount" in rows[0]["reason"]


def test_nothing_to_tell_leaves_no_file(tenant: Tenant, tmp_path: Path) -> None:
    run(make_csv(tmp_path / "f.csv", ["name"], [["Ada"]]), "--map", "name=name")

    assert [file.name for file in tmp_path.iterdir()] == ["f.csv"]


def test_a_read_only_directory_gets_no_file(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    path = make_csv(data / "f.csv", ["name", "value"], [["Ada", "x"], ["Bob", "1"]])
    data.chmod(0o555)
    monkeypatch.chdir(work)

    run(path, "--map", "name=name", "value=value")

    assert [file.name for file in work.iterdir()] == ["f.csv.errors.csv"]
    assert [file.name for file in data.iterdir()] == ["f.csv"]
    data.chmod(0o755)


def test_a_dry_run_says_so(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["name"], [["Ada"]])

    assert "Dry run: nothing was written." in run(path, "--dry-run", "--map", "name=name")
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Map a column to name"),
        (["--map", "name"], "“name” is no field=text pair"),
        (["--map", "name=a", "--map", "name=b"], "gives “name” twice"),
        (["--map", "name=b"], "no column “b”; it has a"),
        (["--map", "name=a", "--default", "colour=red"], "no field “colour”"),
        (["--map", "name=a", "--delimiter", "::"], "one character"),
        (["--map", "name=a", "--encoding", "klingon"], "klingon"),
        (["--map", "name=a", "--pipeline", "None"], "no pipeline “None”"),
        (["--map", "name=a", "created_at=a", "--date-format", "YYYY"], "date format"),
        (["--map", "name=a", "--source", "x" * 51], "50 characters"),
    ],
)
def test_a_mistake_is_one_sentence(
    tenant: Tenant, tmp_path: Path, options: list[str], said: str
) -> None:
    path = make_csv(tmp_path / "f.csv", ["a"], [["Ada"]])

    with pytest.raises(CommandError, match=said) as refused:
        run(path, *options)

    assert "\n" not in str(refused.value)
    assert not Lead.objects.exists()


def test_an_unknown_tenant_is_named(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["a"], [["Ada"]])

    with pytest.raises(CommandError, match="no tenant “nobody”"):
        run(path, "--map", "name=a", tenant="nobody")


def test_a_file_without_one_good_row_fails(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["name", "value"], [["Ada", "x"], ["Bob", "y"]])

    with pytest.raises(CommandError, match="No row could be imported"):
        run(path, "--map", "name=name", "value=value")

    assert Path(f"{path}.errors.csv").exists()


@pytest.mark.journey
def test_the_real_command_answers_with_status_and_one_line(
    service_environment: dict[str, str], tmp_path: Path
) -> None:
    make_tenant("acme")
    good = make_csv(tmp_path / "f.csv", ["name"], [["Ada"]])
    image = tmp_path / "image.csv"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))

    def typed(*arguments: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "import_leads", *map(str, arguments)]
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=service_environment, capture_output=True, text=True
        )

    done = typed(good, "--tenant", "acme", "--map", "name=name", "--json")
    assert (done.returncode, json.loads(done.stdout)["created"], done.stderr) == (0, 1, "")
    for wrong in (
        [image, "--tenant", "acme", "--map", "name=name"],
        [good, "--map", "name=name"],
    ):
        failed = typed(*wrong)
        assert failed.returncode == 1
        assert failed.stdout == ""
        assert len(failed.stderr.splitlines()) == 1


def test_the_events_of_an_import_are_processed(
    settle_events: Callable[[], int], tmp_path: Path
) -> None:
    with tenant_context(make_tenant("acme")):
        run(make_opportunities(tmp_path / "sales.csv", 120), "--map", *SAMPLE_MAPPING)
        settle_events()

        assert Event.objects.count() == 180
        assert set(Event.objects.values_list("status", flat=True)) == {EventStatus.PROCESSED}


@pytest.mark.skipif(not SAMPLE.exists(), reason=f"needs {SAMPLE.name} beside the project")
def test_the_sample_of_a_real_pipeline_lands_whole(tenant: Tenant, tmp_path: Path) -> None:
    errors = tmp_path / "errors.csv"

    said = run(SAMPLE, "--map", *SAMPLE_MAPPING, "--errors", str(errors))

    assert "8,800 leads created" in said
    figures = Lead.objects.values_list("outcome").annotate(Count("id"), Sum("value"))
    assert {outcome: (count, value) for outcome, count, value in figures.order_by()} == {
        "open": (2089, None),
        "won": (4238, 10_005_534),
        "lost": (2473, 0),
    }
    assert Event.objects.count() == 8800 + 4238 + 2473
    assert Event.objects.filter(type="lead.won", occurred_at__year=2017).count() == 4238
    # 1,425 rows without an account, 500 without a date, 30 agents who are no members.
    assert len(errors.read_text().splitlines()) == 1 + 1425 + 500 + 30
    events = Event.objects.count()
    assert "8,800 unchanged" in run(SAMPLE, "--map", *SAMPLE_MAPPING, "--errors", str(errors))
    assert Event.objects.count() == events
