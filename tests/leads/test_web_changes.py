"""Changing leads on their pages: with htmx and without, right and wrong."""

import json
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from leads import services
from leads.models import Lead, Note, Outcome
from salesflow.accounts.models import Tenant, User
from tests.factories import make_user
from tests.leads.factories import make_lead, make_pipeline, stage_called
from tests.web import HTMX, page_of


def url(name: str, lead: Lead) -> str:
    """The address of one of the lead's pages."""
    return reverse(f"leads:{name}", args=[lead.pk])


def new_lead(**fields: Any) -> dict[str, Any]:
    """What the form for a new lead posts."""
    return {"name": "Ada", "currency": "USD", "stage": stage_called("New").pk, **fields}


def edited(browser: Client, lead: Lead, **fields: Any) -> dict[str, Any]:
    """What the form for a lead posts after somebody opened it and typed."""
    form = browser.get(url("edit", lead)).context["form"]
    return {name: form[name].value() or "" for name in form.fields} | fields


# --- Creating -----------------------------------------------------------------------------------


def test_a_lead_is_created_with_all_that_was_typed(browser: Client, rep: User) -> None:
    given = new_lead(
        company="Engines",
        emails="ada@example.com\n\nbyron@example.com ",
        phones="+49 30 18301800",
        value="1500.50",
        tags="hot, vip,, hot",
        owner=rep.pk,
        source="",
    )
    response = browser.post(reverse("leads:create"), given)
    lead = Lead.objects.get()
    assert response.headers["Location"] == url("detail", lead)
    assert lead.emails == ["ada@example.com", "byron@example.com"]
    assert lead.phones == ["+493018301800"]
    assert (lead.tags, str(lead.value), lead.owner, lead.source) == (
        ["hot", "vip"],
        "1500.50",
        rep,
        "manual",
    )


def test_form_proposes_oneself_and_the_currency_of_the_team(browser: Client, rep: User) -> None:
    form = browser.get(reverse("leads:create")).context["form"]
    assert form["owner"].value() == rep.pk
    assert form["currency"].value() == "USD"
    page_of(browser.get(reverse("leads:create")))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("name", "", "Give a name, a company or an e-mail address."),
        ("emails", "ada@", "is no e-mail address"),
        ("phones", "12", "is no phone number"),
        ("value", "-1", "greater than or equal to 0"),
        ("value", "a lot", "Enter a number"),
        ("value", "9" * 15, "no more than"),
        ("currency", "12", "three letters"),
        ("name", "A\x00", "Null characters"),
        ("stage", "", "required"),
        ("stage", "not-a-stage", "not a valid"),
        ("owner", "0", "valid choice"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    browser: Client, field: str, value: str, error: str
) -> None:
    response = browser.post(reverse("leads:create"), new_lead(**{field: value}))
    assert response.status_code == 422
    assert error in " ".join(response.context["form"].errors[field])
    page_of(response)
    assert not Lead.objects.exists()


def test_a_taken_address_names_its_lead(browser: Client) -> None:
    make_lead(name="Byron", emails=["ada@example.com"])
    response = browser.post(reverse("leads:create"), new_lead(emails="ADA@example.com"))
    assert "already belongs to the lead “Byron”" in str(response.context["form"].errors["emails"])


def test_stages_of_several_pipelines_are_grouped_and_lost_ones_left_out(browser: Client) -> None:
    make_pipeline("Partners", stages=["Talk", "Lost"])
    html = browser.get(reverse("leads:create")).content.decode()
    assert '<optgroup label="Partners">' in html
    assert ">Talk<" in html
    assert ">Lost<" not in html


# --- Editing ------------------------------------------------------------------------------------


def test_an_edit_is_saved_and_only_that(browser: Client) -> None:
    lead = make_lead(
        name="Ada",
        emails=["a@example.com", "b@example.com"],
        custom_fields={"Seats": 12, "Size": "S", "a:b": "kept", "Deep": {"x": 1}},
    )
    given = edited(browser, lead, company="Engines")
    assert browser.post(url("edit", lead), given).status_code == 302
    lead.refresh_from_db()
    assert lead.company == "Engines"
    assert lead.emails == ["a@example.com", "b@example.com"]
    assert lead.custom_fields == {"Seats": 12, "Size": "S", "a:b": "kept", "Deep": {"x": 1}}


def test_custom_fields_are_edited_by_line(browser: Client) -> None:
    lead = make_lead(custom_fields={"Seats": 12, "Size": "S"})
    given = edited(browser, lead, custom_fields="Seats: 13\nIndustry: Steam: engines\n")
    browser.post(url("edit", lead), given)
    lead.refresh_from_db()
    assert lead.custom_fields == {"Seats": "13", "Industry": "Steam: engines"}
    given = edited(browser, lead, custom_fields="nothing named")
    response = browser.post(url("edit", lead), given)
    assert "“nothing named” has no name" in str(response.context["form"].errors["custom_fields"])


def test_a_stale_form_is_told_so_and_saves_at_the_second_try(browser: Client) -> None:
    lead = make_lead(name="Ada", company="Engines")
    given = edited(browser, lead, title="Countess")
    services.edit_lead(lead, company="Looms")
    response = browser.post(url("edit", lead), given)
    assert response.status_code == 422
    text = page_of(response).text
    assert "Somebody changed this lead while you were editing it" in text
    assert "Company is now “Looms”" in text
    lead.refresh_from_db()
    assert (lead.title, lead.company) == ("", "Looms")
    again = given | {"seen_at": response.context["form"]["seen_at"].value()}
    assert browser.post(url("edit", lead), again).status_code == 302
    lead.refresh_from_db()
    assert (lead.title, lead.company) == ("Countess", "Engines")


def test_a_form_that_was_tampered_with_saves_nothing(browser: Client) -> None:
    lead = make_lead(name="Ada")
    response = browser.post(url("edit", lead), edited(browser, lead, name="B", seen_at="now"))
    assert response.status_code == 422
    lead.refresh_from_db()
    assert lead.name == "Ada"


def test_amounts_are_read_in_the_language_of_the_reader(browser: Client, rep: User) -> None:
    rep.language = "de"
    rep.save()
    browser.post(reverse("leads:create"), new_lead(value="1234,5"))
    lead = Lead.objects.get()
    assert str(lead.value) == "1234.50"
    assert edited(browser, lead)["value"] is not None
    html = browser.get(url("edit", lead)).content.decode()
    assert 'value="1234,50"' in html


# --- Moving, closing, assigning -----------------------------------------------------------------


def test_a_move_answers_htmx_with_the_head_anew(browser: Client) -> None:
    lead = make_lead()
    given = {"stage": stage_called("Proposal").pk}
    response = browser.post(url("move", lead), given, headers=HTMX)
    page = page_of(response)
    assert response.headers["HX-Retarget"] == "#lead-header"
    assert set(json.loads(response.headers["HX-Trigger"])) == {"dialog-close", "lead-changed"}
    assert f"{lead.name} was moved." in page.text
    lead.refresh_from_db()
    assert lead.stage.name == "Proposal"


def test_without_scripts_a_change_leads_back_to_the_page(browser: Client) -> None:
    lead = make_lead()
    response = browser.post(url("move", lead), {"stage": stage_called("Proposal").pk}, follow=True)
    assert response.redirect_chain == [(url("detail", lead), 302)]
    assert f"{lead.name} was moved." in page_of(response).text


@pytest.mark.parametrize("stage", ["", "nonsense", "00000000-0000-0000-0000-000000000000", "Lost"])
def test_a_move_that_cannot_be_is_refused(browser: Client, stage: str) -> None:
    lead = make_lead()
    given = {"stage": stage_called("Lost").pk if stage == "Lost" else stage}
    response = browser.post(url("move", lead), given, headers=HTMX)
    assert response.status_code == 422
    assert 'data-tone="error"' in response.content.decode()
    plain = browser.post(url("move", lead), given)
    assert plain.headers["Location"] == url("detail", lead)
    assert list(get_messages(plain.wsgi_request))
    lead.refresh_from_db()
    assert lead.stage.name == "New"


def test_a_deal_is_won_in_a_dialog(browser: Client) -> None:
    lead = make_lead()
    dialog = page_of(browser.get(url("win", lead), headers=HTMX))
    assert not dialog.all("html")
    assert page_of(browser.get(url("win", lead))).all("main")
    browser.post(url("win", lead), headers=HTMX)
    lead.refresh_from_db()
    assert lead.outcome == Outcome.WON


def test_a_loss_wants_a_reason(browser: Client) -> None:
    lead = make_lead()
    for wrong in ("", "   ", "x" * 501):
        response = browser.post(url("lose", lead), {"lost_reason": wrong}, headers=HTMX)
        assert response.status_code == 422
        assert response.context["form"].errors["lost_reason"]
        page_of(response)
    browser.post(url("lose", lead), {"lost_reason": "Too expensive"}, headers=HTMX)
    lead.refresh_from_db()
    assert (lead.outcome, lead.lost_reason) == (Outcome.LOST, "Too expensive")


def test_a_lead_is_assigned_to_members_only(browser: Client, tenant: Tenant) -> None:
    colleague, stranger, lead = make_user(tenant), make_user(), make_lead()
    page_of(browser.get(url("assign", lead), headers=HTMX))
    assert browser.post(url("assign", lead), {"owner": stranger.pk}).status_code == 422
    browser.post(url("assign", lead), {"owner": colleague.pk})
    lead.refresh_from_db()
    assert lead.owner == colleague
    browser.post(url("assign", lead), {"owner": ""})
    lead.refresh_from_db()
    assert lead.owner is None


def test_a_note_is_written_and_the_form_is_empty_again(browser: Client, rep: User) -> None:
    lead = make_lead()
    response = browser.post(url("note", lead), {"body": "Likes engines"}, headers=HTMX)
    assert "lead-changed" in response.headers["HX-Trigger"]
    assert "Likes engines" not in response.content.decode()
    note = Note.objects.get()
    assert (note.body, note.author) == ("Likes engines", rep)


@pytest.mark.parametrize("body", ["", "  ", "x" * 10_001, "A\x00"])
def test_a_note_that_cannot_be_keeps_what_was_typed(browser: Client, body: str) -> None:
    lead = make_lead()
    response = browser.post(url("note", lead), {"body": body}, headers=HTMX)
    assert response.status_code == 422
    assert response.context["note_form"].errors["body"]
    assert browser.post(url("note", lead), {"body": body}).status_code == 302
    assert not Note.objects.exists()


def test_a_lead_is_deleted_after_asking(browser: Client) -> None:
    lead = make_lead()
    page_of(browser.get(url("delete", lead), headers=HTMX))
    assert Lead.objects.exists()
    response = browser.post(url("delete", lead), headers=HTMX)
    assert response.headers["HX-Redirect"] == reverse("leads:list")
    assert not Lead.objects.exists()
    assert browser.get(url("detail", lead)).status_code == 404


# --- The board ----------------------------------------------------------------------------------


def test_board_shows_each_stage_with_its_figures(browser: Client) -> None:
    make_lead(name="Ada", value=100)
    make_lead(name="Ben", value=50)
    services.win_lead(make_lead(name="Cleo", value=7))
    response = browser.get(reverse("leads:board"))
    page_of(response)
    columns = {column.stage.name: column for column in response.context["columns"]}
    assert [lead.name for lead in columns["New"].leads] == ["Ben", "Ada"]
    assert (columns["New"].count, columns["New"].value) == ("2", 150)
    assert [lead.name for lead in columns["Won"].leads] == ["Cleo"]
    assert columns["Lost"].count == "0"


def test_board_adds_up_one_currency_only(browser: Client) -> None:
    make_lead(value=100, currency="EUR")
    make_lead(value=100, currency="USD")
    column = browser.get(reverse("leads:board")).context["columns"][0]
    assert (column.count, column.value) == ("2", None)


def test_board_of_another_pipeline(browser: Client) -> None:
    way = make_pipeline("Partners")
    make_lead(name="Zoe", stage=way.stages.first())
    page = page_of(browser.get(reverse("leads:board"), {"pipeline": str(way.pk)}))
    assert "Zoe" in page.text
    assert "Zoe" not in page_of(browser.get(reverse("leads:board"), {"pipeline": "x"})).text


def test_a_move_on_the_board_answers_with_the_board(browser: Client) -> None:
    lead = make_lead()
    on_board = HTMX | {"HX-Current-URL": f"http://testserver{reverse('leads:board')}"}
    given = {"stage": stage_called("Proposal").pk, "board": "1"}
    response = browser.post(url("move", lead), given, headers=on_board)
    assert response.headers["HX-Retarget"] == "#board"
    page_of(response)
    plain = browser.post(url("move", lead), given)
    assert plain.headers["Location"].startswith(reverse("leads:board"))


def test_board_costs_the_same_however_many_leads(
    browser: Client, django_assert_num_queries: Any
) -> None:
    make_lead()
    # Session, user, tenant; pipelines, stages; leads, their contact points; figures.
    with django_assert_num_queries(9):
        browser.get(reverse("leads:board"))
    for _number in range(30):
        make_lead()
    with django_assert_num_queries(9):
        response = browser.get(reverse("leads:board"))
    column = response.context["columns"][0]
    assert len(column.leads) == 25
    assert column.more_url == f"{reverse('leads:list')}?stage={column.stage.pk}"
