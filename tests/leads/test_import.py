"""Imports of whole files: what lands, what is told, what is published."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Event
from leads import services
from leads.importing import ImportOptions, ImportRefused, ImportReport, import_leads
from leads.models import ContactPoint, Lead, Stage
from leads.queries import default_pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_csv, make_lead, make_pipeline

DEALS = {
    "external_id": "id",
    "name": "name",
    "stage": "stage",
    "value": "value",
    "created_at": "created",
    "closed_at": "closed",
}
HEADER = list(DEALS.values())


def run(path: Path, columns: dict[str, str] | None = None, **options: Any) -> ImportReport:
    return import_leads(path, ImportOptions(columns=columns or DEALS, **options))


def deals(path: Path, *rows: list[Any]) -> Path:
    return make_csv(path / "deals.csv", HEADER, rows)


def types() -> list[str]:
    return list(Event.objects.order_by("position").values_list("type", flat=True))


def told(report: ImportReport) -> list[tuple[int, str, str, bool]]:
    return [(p.row, p.column, p.value, p.imported) for p in report.problems]


def test_rows_become_leads_with_their_own_dates(tenant: Tenant, tmp_path: Path) -> None:
    path = deals(
        tmp_path,
        ["1", "Ada", "Won", "1,200.50", "2019-01-02", "2019-03-04"],
        ["2", "Bob", "lost", "", "2019-01-03", "2019-03-05"],
        ["3", "Cy", "PROPOSAL", "7", "2019-01-04", ""],
    )

    report = run(path)

    ada, bob, cy = Lead.objects.order_by("external_id")
    assert (ada.outcome, ada.value, ada.stage.name) == ("won", Decimal("1200.50"), "Won")
    assert ada.created_at == datetime(2019, 1, 2, tzinfo=UTC)
    assert ada.closed_at == ada.stage_entered_at == datetime(2019, 3, 4, tzinfo=UTC)
    assert (bob.outcome, bob.value) == ("lost", None)
    assert (cy.outcome, cy.stage.name, cy.closed_at) == ("open", "Proposal", None)
    assert (report.created, report.rejected, report.problems) == (3, 0, [])
    assert dict(report.won_value) == {"USD": Decimal("1200.50")}
    events = Event.objects.filter(subject_id=ada.id).order_by("position")
    assert [(e.type, e.occurred_at.date().isoformat(), e.source) for e in events] == [
        ("lead.created", "2019-01-02", "import"),
        ("lead.won", "2019-03-04", "import"),
    ]
    assert set(Event.objects.values_list("request_id", flat=True)) == {report.request_id}


def test_dates_are_midnight_where_the_tenant_is(tmp_path: Path, db: None) -> None:
    with tenant_context(make_tenant(time_zone="America/New_York")):
        run(deals(tmp_path, ["1", "Ada", "Won", "", "2019-01-02", "2019-07-04"]))
        lead = Lead.objects.get()

    assert lead.created_at == datetime(2019, 1, 2, tzinfo=ZoneInfo("America/New_York"))


def test_a_second_import_changes_nothing(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(
        tmp_path / "f.csv",
        ["id", "name", "mail", "tel", "stage", "value", "when", "owner", "labels", "product"],
        [
            [
                n,
                f"Lead {n}",
                f"l{n}@example.com",
                f"212-555-{n:04}",
                stage,
                "5",
                when,
                "Z",
                "a, b",
                "",
            ]
            for n, (stage, when) in enumerate([("Won", "2019-01-02"), ("Odd", ""), ("Lost", "")])
        ],
    )
    columns = {"external_id": "id", "name": "name", "email": "mail", "phone": "tel"}
    columns |= {"stage": "stage", "value": "value", "created_at": "when", "owner": "owner"}
    columns |= {"tags": "labels", "custom.product": "product"}
    run(path, columns)
    before = list(Lead.objects.order_by("id").values()), types()

    report = run(path, columns)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 3)
    assert (list(Lead.objects.order_by("id").values()), types()) == before
    assert ContactPoint.objects.count() == 6


def test_changed_rows_are_brought_up_to_date_through_events(tenant: Tenant, tmp_path: Path) -> None:
    owner = make_user(tenant, name="Zoe", email="zoe@example.com")
    columns = {**DEALS, "owner": "owner", "email": "mail"}
    header = [*HEADER, "owner", "mail"]
    make_csv(
        tmp_path / "f.csv",
        header,
        [
            ["1", "Ada", "New", "10", "2019-01-02", "", "", ""],
            ["2", "Bob", "New", "10", "2019-01-02", "", "", ""],
            ["3", "Cy", "New", "10", "2019-01-02", "", "", "cy@example.com"],
        ],
    )
    run(tmp_path / "f.csv", columns)
    Event.objects.all().delete()
    make_csv(
        tmp_path / "f.csv",
        header,
        [
            ["1", "Ada", "Won", "12", "2019-01-02", "2019-05-06", "ZOE@example.com", ""],
            ["2", "", "", "", "", "", "", ""],
            ["3", "Cyd", "New", "10", "2019-01-02", "", "", "cyd@example.com"],
        ],
    )

    report = run(tmp_path / "f.csv", columns)

    assert (report.created, report.updated, report.unchanged) == (0, 2, 1)
    ada, bob, cy = Lead.objects.order_by("external_id")
    assert (ada.outcome, ada.value, ada.owner) == ("won", Decimal(12), owner)
    assert ada.closed_at == datetime(2019, 5, 6, tzinfo=UTC)
    assert (bob.name, bob.value) == ("Bob", Decimal(10))
    assert cy.emails == ["cy@example.com", "cyd@example.com"]
    of_ada = Event.objects.filter(subject_id=ada.id)
    assert {event.type for event in of_ada} == {
        *("lead.updated", "lead.stage_changed", "lead.assigned", "lead.won"),
    }
    assert of_ada.get(type="lead.won").occurred_at == ada.closed_at
    assert of_ada.get(type="lead.stage_changed").payload["from_stage"] == "New"
    changes = [e.payload["changes"] for e in Event.objects.filter(subject_id=cy.id)]
    assert {"name": {"old": "Cy", "new": "Cyd"}} in changes
    assert {
        "emails": {"old": ["cy@example.com"], "new": ["cy@example.com", "cyd@example.com"]}
    } in changes
    assert not Event.objects.filter(subject_id=bob.id).exists()


def test_dates_that_a_file_tells_anew_are_an_edit(tenant: Tenant, tmp_path: Path) -> None:
    columns = {**DEALS, "stage_entered_at": "since", "lost_reason": "why"}
    header = [*HEADER, "since", "why"]
    won = ["1", "Ada", "Won", "10", "2019-01-02", "2019-05-06", "2019-05-06", ""]
    lost = ["2", "Bob", "Lost", "10", "2019-01-02", "2019-05-06", "2019-05-06", "Price"]
    run(make_csv(tmp_path / "f.csv", header, [won, lost]), columns)
    Event.objects.all().delete()
    won[5:7], lost[7] = ["2019-05-04", "2019-05-03"], "Timing"

    report = run(make_csv(tmp_path / "f.csv", header, [won, lost]), columns)

    assert report.updated == 2
    of_ada, of_bob = Event.objects.order_by("position")
    assert (of_ada.type, of_bob.type) == ("lead.updated", "lead.updated")
    before = "2019-05-06T00:00:00+00:00"
    assert of_ada.payload["changes"] == {
        "closed_at": {"old": before, "new": "2019-05-04T00:00:00+00:00"},
        "stage_entered_at": {"old": before, "new": "2019-05-03T00:00:00+00:00"},
    }
    assert of_bob.payload["changes"] == {"lost_reason": {"old": "Price", "new": "Timing"}}


def test_a_move_with_its_dates_is_no_edit(tenant: Tenant, tmp_path: Path) -> None:
    run(deals(tmp_path, ["1", "Ada", "New", "10", "2019-01-02", ""]))
    run(deals(tmp_path, ["1", "Ada", "Won", "10", "2019-01-02", "2019-05-06"]))
    run(deals(tmp_path, ["1", "Ada", "New", "10", "2019-01-02", ""]))

    assert types() == ["lead.created", "lead.stage_changed", "lead.won", "lead.stage_changed"]


def test_three_broken_rows_in_a_thousand_are_named_and_the_others_land(
    tenant: Tenant, tmp_path: Path
) -> None:
    rows = [f"{n},Lead {n},New,{n},2019-01-02," for n in range(1000)]
    rows[100] = "100,Lead 100,New,a lot,2019-01-02,"
    rows[500] = '500,"Lead 500,New,5,2019-01-02,'
    rows[900] = "900,Lead 900,New,5,31-31-2019,"
    path = tmp_path / "f.csv"
    path.write_text("\n".join([",".join(HEADER), *rows]))

    report = run(path)

    assert (report.rows, report.created, report.rejected) == (1000, 997, 3)
    assert Lead.objects.count() == 997
    assert told(report) == [
        (102, "value", "a lot", False),
        (502, "", "", False),
        (902, "created", "31-31-2019", False),
    ]


def test_a_german_file_of_excel_is_read(tmp_path: Path, db: None) -> None:
    path = tmp_path / "Übersicht.csv"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + "Nr;Firma;Phase;Wert;Angelegt\r\n"
        "7;Müller & Söhne;Gewonnen;1.234,50 €;03.04.2019\r\n"
        "8;Groß AG;verloren;2.000;13.04.2019\r\n".encode()
    )
    columns = {"external_id": "Nr", "company": "Firma", "stage": "Phase", "value": "Wert"}
    with tenant_context(make_tenant(language="de", time_zone="Europe/Berlin")):
        report = run(path, {**columns, "created_at": "Angelegt"})
        won, lost = Lead.objects.order_by("external_id")

    assert (won.name, won.outcome) == ("Müller & Söhne", "won")
    assert (won.value, won.currency, lost.value) == (Decimal("1234.50"), "EUR", Decimal(2000))
    assert won.created_at.astimezone(ZoneInfo("Europe/Berlin")).date().isoformat() == "2019-04-03"
    assert report.notes == []


def test_ambiguous_dates_are_said_and_a_format_settles_them(tenant: Tenant, tmp_path: Path) -> None:
    path = deals(tmp_path, ["1", "Ada", "New", "", "03-04-19", ""])

    assert "--date-format" in run(path, dry_run=True).notes[0]
    report = run(path, date_format="DD-MM-YY")

    assert report.notes == []
    assert Lead.objects.get().created_at == datetime(2019, 4, 3, tzinfo=UTC)


def test_a_dry_run_tells_all_and_writes_nothing(tenant: Tenant, tmp_path: Path) -> None:
    path = deals(
        tmp_path,
        ["1", "Ada", "Won", "10", "2019-01-02", "2019-01-03"],
        ["2", "Bob", "Prospecting", "x", "2019-01-02", ""],
    )

    report = run(path, dry_run=True)

    assert (report.created, report.rejected, report.outcomes["won"]) == (1, 1, 1)
    assert any("Prospecting" in note for note in report.notes)
    assert not Lead.objects.exists()
    assert not Event.objects.exists()
    assert Stage.objects.count() == 6


def test_a_crash_in_the_middle_leaves_nothing(tenant: Tenant, tmp_path: Path) -> None:
    rows = [[n, f"Lead {n}", "New", "5", "2019-01-02", ""] for n in range(2500)]

    def pull_the_plug(done: int, total: int) -> None:
        assert Lead.objects.count() == done
        if done == 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_leads(deals(tmp_path, *rows), ImportOptions(columns=DEALS), progress=pull_the_plug)

    assert not Lead.objects.exists()
    assert not Event.objects.exists()


def test_stages_that_are_missing_are_added_where_they_belong(
    tenant: Tenant, tmp_path: Path
) -> None:
    rows = [
        [n, f"Lead {n}", stage, "", "2019-01-02", ""]
        for n, stage in enumerate(["Won", "Engaging", "Prospecting", "Strange", "Closed Lost"])
    ]

    report = run(deals(tmp_path, *rows))

    names = [stage.name for stage in default_pipeline().stages.all()]
    assert names == [
        *("New", "Prospecting", "Engaging", "Qualified", "Proposal", "Strange", "Negotiation"),
        *("Won", "Lost"),
    ]
    assert any("Engaging (20 %)" in note for note in report.notes)
    assert Lead.objects.get(external_id="4").stage.name == "Lost"


def test_stages_are_not_added_when_that_is_not_wanted(tenant: Tenant, tmp_path: Path) -> None:
    path = deals(
        tmp_path,
        ["1", "Ada", "Strange", "", "2019-01-02", ""],
        ["2", "Bob", "New", "", "2019-01-02", ""],
    )

    report = run(path, create_stages=False)

    assert told(report) == [(2, "stage", "Strange", False)]
    assert Lead.objects.get().name == "Bob"


def test_default_stages_are_known_in_the_other_language(tenant: Tenant, tmp_path: Path) -> None:
    report = run(deals(tmp_path, ["1", "Ada", "Gewonnen", "", "2019-01-02", "2019-01-02"]))

    assert report.outcomes["won"] == 1
    assert Stage.objects.count() == 6


def test_a_column_that_holds_no_stages_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    rows = [[n, f"Lead {n}", f"Company {n}", "", "2019-01-02", ""] for n in range(30)]

    with pytest.raises(ImportRefused, match="right column"):
        run(deals(tmp_path, *rows))

    assert Stage.objects.count() == 6


def test_a_pipeline_is_chosen_by_name(tenant: Tenant, tmp_path: Path) -> None:
    pipeline = make_pipeline("Renewals")
    path = deals(tmp_path, ["1", "Ada", "won", "", "2019-01-02", "2019-01-02"])

    run(path, pipeline="renewals")

    assert Lead.objects.get().stage.pipeline == pipeline
    with pytest.raises(ImportRefused, match="there are Sales, Renewals"):
        run(path, pipeline="Renewal")


def test_owners_are_found_by_address_or_name_and_strangers_are_kept(
    tenant: Tenant, tmp_path: Path
) -> None:
    zoe = make_user(tenant, name="Zoe Zed", email="zoe@example.com")
    make_user(tenant, name="Max")
    make_user(tenant, name="Max")
    with tenant_context(make_tenant()) as other:
        make_user(other, name="Foreign")
    path = make_csv(
        tmp_path / "f.csv",
        ["name", "rep"],
        [["A", "zoe ZED"], ["B", "Zoe@example.com"], ["C", "Max"], ["D", "Foreign"], ["E", "Max"]],
    )

    report = run(path, {"name": "name", "owner": "rep"})

    a, b, c, d, _e = Lead.objects.order_by("name")
    assert (a.owner, b.owner, c.owner, d.owner) == (zoe, zoe, None, None)
    assert (a.custom_fields, c.custom_fields) == ({}, {"owner": "Max"})
    assert told(report) == [(4, "rep", "Max", True), (5, "rep", "Foreign", True)]
    assert "2 rows" in report.problems[0].reason


def test_what_is_missing_is_told_and_what_stands_in_for_it(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(
        tmp_path / "f.csv",
        ["id", "firm", "stage", "created", "closed"],
        [
            ["1", "Acme", "New", "2019-01-02", ""],
            ["2", "", "New", "2019-01-02", ""],
            ["3", "Acme", "New", "", ""],
            ["4", "Acme", "Won", "2019-01-02", ""],
            ["5", "Acme", "New", "2019-01-02", "2019-02-03"],
            ["6", "Acme", "Won", "", "2019-02-03"],
        ],
    )
    columns = {"external_id": "id", "company": "firm", "stage": "stage"}

    report = run(path, {**columns, "created_at": "created", "closed_at": "closed"})

    assert told(report) == [
        (6, "closed", "2019-02-03", True),
        (3, "firm", "", True),
        (4, "created", "", True),
        (5, "closed", "", True),
        (7, "created", "", True),
    ]
    assert Lead.objects.get(external_id="1").name == "Acme"
    assert Lead.objects.get(external_id="2").name == "2"
    late = Lead.objects.get(external_id="6")
    assert late.created_at == late.closed_at == datetime(2019, 2, 3, tzinfo=UTC)


def test_the_day_on_which_an_open_deal_is_expected_to_close_is_told_not_kept(
    tenant: Tenant, tmp_path: Path
) -> None:
    report = run(deals(tmp_path, ["1", "Ada", "New", "", "2019-01-02", "2999-12-31"]))

    assert told(report) == [(2, "closed", "2999-12-31", True)]
    lead = Lead.objects.get()
    assert (lead.closed_at, lead.stage_entered_at) == (None, lead.created_at)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody at example"),
        ("phone", "12"),
        ("value", "-5"),
        ("currency", "EURO"),
        ("tags", "x" * 51),
        ("title", "x" * 201),
        ("time_zone", "Europe/Nowhere"),
        ("country", "Germany"),
        ("created_at", "2999-01-01"),
        ("closed_at", "1999-01-01"),
    ],
)
def test_a_wrong_value_keeps_its_row_out(
    tenant: Tenant, tmp_path: Path, field: str, value: str
) -> None:
    header = ["name", "stage", "created_at", "x"]
    columns = {"name": "name", "stage": "stage", "created_at": "created_at"} | {field: "x"}
    path = make_csv(
        tmp_path / "f.csv",
        header,
        [["Ada", "Won", "2019-01-02", value], ["Bob", "New", "2019-01-02", ""]],
    )

    report = run(path, columns)

    assert told(report)[0] == (2, "x", value, False)
    assert [lead.name for lead in Lead.objects.all()] == ["Bob"]


def test_the_same_external_id_twice_in_a_file_is_told(tenant: Tenant, tmp_path: Path) -> None:
    path = deals(
        tmp_path,
        ["1", "Ada", "New", "", "2019-01-02", ""],
        ["1", "Bob", "New", "", "2019-01-02", ""],
        ["", "Cy", "New", "", "2019-01-02", ""],
    )

    report = run(path)

    assert told(report) == [(3, "id", "1", False), (4, "id", "", False)]
    assert "Row 2" in report.problems[0].reason
    assert Lead.objects.get().name == "Ada"


def test_a_contact_that_is_known_already_is_not_added_again(tenant: Tenant, tmp_path: Path) -> None:
    make_lead(name="Ada", emails=["ada@example.com"])
    path = make_csv(
        tmp_path / "f.csv",
        ["name", "mail"],
        [["A", "ADA@example.com"], ["B", "bob@example.com"], ["C", "bob@example.com"]],
    )

    report = run(path, {"name": "name", "email": "mail"})

    assert told(report) == [
        (2, "mail", "ada@example.com", False),
        (4, "mail", "bob@example.com", False),
    ]
    assert "Ada" in report.problems[0].reason
    assert Lead.objects.count() == 2
    again = run(path, {"name": "name", "email": "mail"})
    assert (again.created, again.rejected) == (0, 3)


def test_deals_of_one_contact_land_and_the_first_keeps_the_address(
    tenant: Tenant, tmp_path: Path
) -> None:
    path = make_csv(
        tmp_path / "f.csv",
        ["id", "name", "mail"],
        [["1", "Deal 1", "bob@example.com"], ["2", "Deal 2", "bob@example.com, x@example.com"]],
    )
    columns = {"external_id": "id", "name": "name", "email": "mail"}

    report = run(path, columns)

    first, second = Lead.objects.order_by("external_id")
    assert (first.emails, second.emails) == (["bob@example.com"], ["x@example.com"])
    assert told(report) == [(3, "mail", "bob@example.com", True)]
    assert run(path, columns).unchanged == 2


def test_defaults_fill_what_the_file_leaves_out(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["name", "cur"], [["Ada", ""], ["Bob", "CHF"]])
    defaults = {"currency": "EUR", "stage": "Qualified", "tags": "fair, 2019", "source": "fair"}

    run(path, {"name": "name", "currency": "cur"}, defaults={**defaults, "custom.hall": "7"})

    ada, bob = Lead.objects.order_by("name")
    assert (ada.currency, bob.currency, ada.stage.name) == ("EUR", "CHF", "Qualified")
    assert (ada.tags, ada.source, ada.custom_fields) == (["fair", "2019"], "fair", {"hall": "7"})


def test_places_are_taken_in(tenant: Tenant, tmp_path: Path) -> None:
    rows = [["Ada", "de", "Europe/Berlin"], ["Bob", "", ""]]
    path = make_csv(tmp_path / "f.csv", ["name", "country", "zone"], rows)
    report = run(path, {"name": "name", "country": "country", "time_zone": "zone"})
    assert report.rejected == 0
    places = Lead.objects.order_by("name").values_list("country", "time_zone")
    assert list(places) == [("DE", "Europe/Berlin"), ("", "")]


def test_names_are_put_together(tenant: Tenant, tmp_path: Path) -> None:
    path = make_csv(tmp_path / "f.csv", ["First", "Last"], [["Ada", "Lovelace"], ["", "Cher"]])

    run(path, {"first_name": "First", "last_name": "Last"})

    assert {lead.name for lead in Lead.objects.all()} == {"Ada Lovelace", "Cher"}


def test_an_open_deal_that_reopens_or_closes_later_keeps_the_rules(
    tenant: Tenant, tmp_path: Path
) -> None:
    run(deals(tmp_path, ["1", "Ada", "New", "", "", ""]))
    run(deals(tmp_path, ["1", "Ada", "Won", "", "", "2019-02-03"]))
    lead = Lead.objects.get()
    assert lead.created_at == lead.closed_at == datetime(2019, 2, 3, tzinfo=UTC)

    run(deals(tmp_path, ["1", "Ada", "New", "", "", ""]))

    lead = Lead.objects.get()
    assert (lead.outcome, lead.closed_at) == ("open", None)


def test_a_lead_edited_by_hand_keeps_what_the_file_does_not_say(
    tenant: Tenant, tmp_path: Path
) -> None:
    path = deals(tmp_path, ["1", "Ada", "New", "10", "2019-01-02", ""])
    run(path)
    lead = services.edit_lead(Lead.objects.get(), title="Countess", tags=["vip"])
    services.add_note(lead, "Likes tea.")

    assert run(path).unchanged == 1
    lead = Lead.objects.get()
    assert (lead.title, lead.tags) == ("Countess", ["vip"])


def test_another_tenants_leads_are_never_matched(tenant: Tenant, tmp_path: Path) -> None:
    with tenant_context(make_tenant()):
        foreign = make_lead(name="Foreign", external_id="1", emails=["a@example.com"])

    report = run(deals(tmp_path, ["1", "Ada", "New", "", "2019-01-02", ""]))

    assert report.created == 1
    assert Lead.objects.get().name == "Ada"
    foreign.refresh_from_db()
    assert foreign.name == "Foreign"


def test_a_thousand_rows_cost_a_few_statements(tenant: Tenant, tmp_path: Path) -> None:
    rows = [[n, f"Lead {n}", "Won", "5", "2019-01-02", "2019-01-03"] for n in range(1000)]
    with CaptureQueriesContext(connection) as first:
        run(deals(tmp_path, *rows))
    for row in rows[:500]:
        row[1] = f"{row[1]} again"
    with CaptureQueriesContext(connection) as second:
        report = run(deals(tmp_path, *rows))

    assert report.updated == 500
    assert len(first) < 30
    assert len(second) < 40


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "Map a column to name"),
        ({"value": "value"}, "Map a column to name"),
        ({"nome": "name"}, "no field “nome”; there are name,"),
        ({"custom.": "name"}, "needs a name"),
        ({"name": "nombre"}, "no column “nombre”; it has id, name, stage"),
    ],
)
def test_a_wrong_mapping_is_refused_with_what_there_is(
    tenant: Tenant, tmp_path: Path, columns: dict[str, str], said: str
) -> None:
    path = deals(tmp_path, ["1", "Ada", "New", "", "2019-01-02", ""])

    with pytest.raises(ImportRefused, match=said):
        import_leads(path, ImportOptions(columns=columns))


def test_columns_match_in_any_case_unless_that_is_ambiguous(tenant: Tenant, tmp_path: Path) -> None:
    run(make_csv(tmp_path / "f.csv", [" Name "], [["Ada"]]), {"name": "NAME"})
    assert Lead.objects.get().name == "Ada"

    twins = make_csv(tmp_path / "g.csv", ["Name", "Name"], [["Ada", "Bob"]])
    with pytest.raises(ImportRefused, match="several columns “Name”"):
        run(twins, {"name": "Name"})


def test_a_header_alone_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="no rows"):
        run(deals(tmp_path))


@pytest.mark.parametrize("field", ["email", "external_id"])
def test_what_tells_leads_apart_has_no_default(tenant: Tenant, tmp_path: Path, field: str) -> None:
    path = deals(tmp_path, ["1", "Ada", "New", "", "2019-01-02", ""])

    with pytest.raises(ImportRefused, match="cannot have a default"):
        run(path, defaults={field: "x"})
