"""Lists of sequences and of who is in them; enrolling on the web; rules; figures; calendars."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from channels.sequences.bulk import begin_bulk
from channels.sequences.models import (
    BulkEnrolment,
    Enrolment,
    EntryRule,
    Execution,
    Sequence,
    WorkCalendar,
)
from channels.sequences.rules import save_rule
from channels.sequences.significance import Interval
from channels.sequences.versions import (
    archive_sequence,
    create_sequence,
)
from channels.sequences.views.figures import percent, range_in_words
from leads.services import create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.factories import make_tenant
from tests.leads.factories import stage_called
from tests.sequences.engine.factories import (
    days,
    enrol_one,
    mail,
    make_contact,
    make_sequence,
)
from tests.sequences.enrolling.test_statistics import note
from tests.web import HTMX, Browser, page_of


def url(name: str, sequence: Sequence | None = None, *args: Any) -> str:
    return reverse(f"sequences:{name}", args=[sequence.pk, *args] if sequence else args)


def block(enrolment: Enrolment, *names: str) -> None:
    """Let somebody wait for what is missing."""
    Enrolment.objects.filter(pk=enrolment.pk).update(
        next_step_at=None, waiting_for="person", obstacle="missing", obstacle_names=list(names)
    )


# --- Lists --------------------------------------------------------------------------------------


def test_list_shows_sequences_with_their_people(rep: Browser) -> None:
    running, old = make_sequence(mail()), make_sequence(mail())
    enrol_one(running)
    block(enrol_one(running), "company")
    archive_sequence(old, actor=None)
    page = page_of(rep.get(url("list")))
    assert running.name in page.text
    assert old.name not in page.text
    assert "1 wait for somebody" in page.text
    assert old.name in page_of(rep.get(f"{url('list')}?state=archived")).text
    assert "No sequence is in this state" in page_of(rep.get(f"{url('list')}?state=paused")).text


def test_list_without_sequences_says_what_they_are_for(rep: Browser, browser: Browser) -> None:
    assert "There is no sequence yet" in page_of(rep.get(url("list"))).text
    assert "New sequence" in page_of(browser.get(url("list"))).text


def test_list_takes_the_same_queries_whatever_its_length(
    rep: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(6):
        enrol_one(make_sequence(mail()))
    with django_assert_max_num_queries(9):
        rep.get(url("list"))


def test_list_goes_on_by_pages(rep: Browser) -> None:
    for number in range(52):
        create_sequence(f"S{number:02}")
    first = page_of(rep.get(url("list")))
    [following] = [a["href"] for a in first.all("a") if a.get("rel") == "next"]
    assert "S51" in page_of(rep.get(url("list") + following)).text


def test_everything_is_held_by_one_button(browser: Browser, rep: Browser) -> None:
    make_sequence(mail())
    assert rep.post(url("hold")).status_code == 403
    browser.post(url("hold"))
    assert Sequence.objects.get().state == "paused"


def test_people_are_listed_by_state_with_what_they_wait_for(rep: Browser) -> None:
    sequence = make_sequence(mail())
    mary, grace = make_contact(name="Mary Somerville"), make_contact(name="Grace Hopper")
    block(enrol_one(sequence, mary), "company")
    gone = enrol_one(sequence, grace)
    rep.post(url("enrolment-verb", None, gone.pk, "stop"))
    page = page_of(rep.get(url("people", sequence)))
    assert "nothing is known for “company”" in page.text
    assert "somebody took them out" in page.text
    finished = page_of(rep.get(f"{url('people', sequence)}?state=finished"))
    assert "Grace Hopper" in finished.text
    assert "Mary Somerville" not in finished.text
    waiting = page_of(rep.get(url("attention")))
    assert "Mary Somerville" in waiting.text
    assert sequence.name in waiting.text


def test_people_take_the_same_queries_whatever_their_number(
    rep: Browser, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sequence = make_sequence(mail())
    for _ in range(8):
        enrol_one(sequence)
    with django_assert_max_num_queries(12):
        rep.get(url("people", sequence))


def test_somebody_waits_goes_on_and_leaves(rep: Browser) -> None:
    enrolment = enrol_one(make_sequence(mail()))
    states = []
    for verb in ("pause", "pause", "resume", "stop", "resume"):
        response = rep.post(url("enrolment-verb", None, enrolment.pk, verb))
        assert response.status_code == 302
        enrolment.refresh_from_db()
        states.append(enrolment.state)
    assert states == ["paused", "paused", "active", "finished", "finished"]
    assert rep.post(url("enrolment-verb", None, enrolment.pk, "sing")).status_code == 404


def test_way_of_a_lead_tells_what_was_done_and_what_is_to_come(rep: Browser) -> None:
    first, second = mail("Dear {{ company }}", "First mail"), mail("More", "Second mail")
    sequence = make_sequence(first, days(2), second)
    enrolment = enrol_one(sequence)
    address = url("enrolment", None, enrolment.pk)
    page = page_of(rep.get(address))
    assert "Nothing yet." in page.text
    assert "Nothing is known for “company”" in page.text
    assert page.text.index("Wait 2 working days") < page.text.index("Second mail")
    now = timezone.now()
    Execution.objects.create(
        enrolment=enrolment,
        sequence=sequence,
        version=1,
        step=first.key,
        number=1,
        kind="message",
        outcome="queued",
        executed_at=now,
        sent_at=now,
        replied_at=now,
    )
    rep.post(url("enrolment-verb", None, enrolment.pk, "stop"))
    page = page_of(rep.get(address))
    assert "1. First mail" in page.text
    assert "replied" in page.text
    assert "What is to come" not in page.text


def test_verb_leads_back_to_where_it_was_pressed_and_nowhere_else(rep: Browser) -> None:
    enrolment = enrol_one(make_sequence(mail()))
    address = url("enrolment-verb", None, enrolment.pk, "pause")
    back = rep.post(address, headers={"Referer": "http://testserver/leads/1?x=2"})
    assert back.headers["Location"] == "/leads/1?x=2"
    elsewhere = rep.post(address, headers={"Referer": "https://evil.example.com/"})
    assert elsewhere.headers["Location"] == url("people", enrolment.sequence)


def test_another_teams_enrolment_is_not_found(rep: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = enrol_one(make_sequence(mail()))
    assert rep.post(url("enrolment-verb", None, theirs.pk, "stop")).status_code == 404
    assert rep.get(url("enrolment", None, theirs.pk)).status_code == 404
    assert Enrolment.unscoped.get().state == "active"


# --- Enrolling ----------------------------------------------------------------------------------


def test_leads_are_chosen_surveyed_and_taken_in(rep: Browser) -> None:
    sequence = make_sequence(mail("Dear {{ company }}"))
    ada = make_contact(name="Ada", company="Engines", source="fair")
    grace = make_contact(name="Grace", source="fair")
    create_lead(name="Silent", source="fair")
    make_contact(name="Elsewhere", source="web", company="X")
    nobody = page_of(rep.get(url("enrol", sequence)))
    assert "Take them in" not in nobody.text
    page = page_of(rep.get(f"{url('enrol', sequence)}?source=fair"))
    assert "2 of 3 can start" in " ".join(page.text.split())
    assert "has no address" in page.text
    assert "nothing is known for “company”" in page.text
    response = rep.post(url("enrol", sequence), {"source": "fair"})
    assert response.headers["Location"] == url("people", sequence)
    assert {row.lead for row in Enrolment.objects.all()} == {ada, grace}
    assert {row.source for row in Enrolment.objects.all()} == {"bulk"}


def test_nobody_is_taken_in_without_a_choice(rep: Browser) -> None:
    sequence = make_sequence(mail())
    make_contact()
    response = rep.post(url("enrol", sequence), {})
    assert response.status_code == 422
    page_of(response)
    assert not Enrolment.objects.exists()


def test_draft_takes_nobody_in(rep: Browser) -> None:
    sequence = create_sequence("Fresh")
    make_contact(source="fair")
    assert (
        "Publish the sequence first"
        in page_of(rep.get(f"{url('enrol', sequence)}?source=fair")).text
    )
    assert rep.post(url("enrol", sequence), {"source": "fair"}).status_code == 422


def test_who_writes_may_be_chosen(rep: Browser, manager: User) -> None:
    sequence = make_sequence(mail())
    make_contact(source="fair")
    rep.post(url("enrol", sequence), {"source": "fair", "sender": manager.pk})
    assert Enrolment.objects.get().sender == manager


def test_very_many_come_in_in_the_background(rep: Browser) -> None:
    sequence = make_sequence(mail())
    for number in range(201):
        create_lead(name=f"Lead {number}", source="fair")
    rep.post(url("enrol", sequence), {"source": "fair"})
    bulk = BulkEnrolment.objects.get()
    assert (bulk.total, bulk.state) == (201, "running")
    page = page_of(rep.get(url("people", sequence)))
    assert "0 of 201 were looked at" in page.text
    rep.post(url("cancel-bulk", sequence, bulk.pk))
    bulk.refresh_from_db()
    assert bulk.state == "cancelled"


def test_bulk_of_another_sequence_is_not_found(rep: Browser) -> None:
    sequence = make_sequence(mail())
    other = begin_bulk([make_contact().pk], make_sequence(mail()))
    assert rep.post(url("cancel-bulk", sequence, other.pk)).status_code == 404


def test_lead_comes_in_from_its_own_page(rep: Browser) -> None:
    lead, sequence = make_contact(), make_sequence(mail())
    detail = page_of(rep.get(f"/leads/{lead.pk}"))
    assert any(each.get("hx-get") == url("lead", None, lead.pk) for each in detail.all("div"))
    part = page_of(rep.get(url("lead", None, lead.pk), headers=HTMX))
    assert "In no sequence yet" in part.text
    page_of(rep.get(url("lead", None, lead.pk)))
    given = {"sequence": str(sequence.pk)}
    response = rep.post(url("lead", None, lead.pk), given, headers=HTMX)
    assert "lead-changed" in response.headers["HX-Trigger"]
    assert Enrolment.objects.get().source == "hand"
    again = rep.post(url("lead", None, lead.pk), given, headers=HTMX)
    assert again.status_code == 422
    assert "is in it already" in page_of(again).text


# --- Rules, figures, calendars ------------------------------------------------------------------


def test_rule_is_written_changed_and_deleted(browser: Browser) -> None:
    sequence, stage = make_sequence(mail()), stage_called("Proposal")
    given = {
        "trigger": "lead.stage_changed",
        "stage": str(stage.pk),
        "tag": "vip",
        "field": "company",
        "operator": "contains",
        "value": "Engines",
        "is_active": "on",
    }
    browser.post(url("add-rule", sequence), given)
    rule = EntryRule.objects.get()
    assert [(each["name"], each["operator"]) for each in rule.conditions] == [
        ("stage", "is"),
        ("tag", "is"),
        ("company", "contains"),
    ]
    page = page_of(browser.get(url("rules", sequence)))
    assert "the stage is “Proposal”" in page.text
    form = browser.get(url("rule", sequence, rule.pk)).context["form"]
    assert form["stage"].value() == str(stage.pk)
    assert form["value"].value() == "Engines"
    browser.post(url("rule", sequence, rule.pk), {**given, "tag": "", "field": ""})
    rule.refresh_from_db()
    assert [each["name"] for each in rule.conditions] == ["stage"]
    browser.post(url("delete-rule", sequence, rule.pk))
    assert not EntryRule.objects.exists()


def test_conditions_that_the_form_does_not_show_are_kept(browser: Browser) -> None:
    sequence = make_sequence(mail())
    asked = [
        {"name": "company", "operator": "known"},
        {"name": "title", "operator": "contains", "value": "CEO"},
        {"name": "custom.size", "operator": "above", "value": "5"},
    ]
    rule = save_rule(EntryRule(sequence=sequence), trigger="lead.created", conditions=asked)
    given = {"trigger": "lead.created", "field": "company", "operator": "known", "is_active": "on"}
    browser.post(url("rule", sequence, rule.pk), given)
    rule.refresh_from_db()
    assert [each["name"] for each in rule.conditions] == ["company", "title", "custom.size"]


def test_wrong_rule_is_said_in_the_form(browser: Browser) -> None:
    sequence = make_sequence(mail())
    given = {"trigger": "lead.created", "field": "company", "operator": "is", "value": ""}
    response = browser.post(url("add-rule", sequence), given)
    assert response.status_code == 422
    assert "Say what to compare with" in page_of(response).text
    assert not EntryRule.objects.exists()


def test_shares_are_rounded() -> None:
    assert (percent(2 / 3), percent(1 / 8), percent(None)) == ("66.7 %", "12.5 %", "–")
    assert range_in_words(Interval(1 / 6, 0.9996)) == "16.7 to 100.0 %"


def test_figures_show_shares_with_their_ranges(rep: Browser) -> None:
    step = mail("Hello", "First contact")
    sequence = make_sequence(step)
    note(sequence, step, replied_at=timezone.now())
    note(sequence, step)
    text = " ".join(page_of(rep.get(url("figures", sequence))).text.split())
    assert "1. First contact 2 0.0 % 0 – – 50.0 % 1 9.5 to 90.5 %" in text
    # Where opens are noted, none is a figure, of those alone of whom it is known.
    note(sequence, step, tracked_at=timezone.now(), opened_at=timezone.now())
    note(sequence, step, tracked_at=timezone.now())
    text = " ".join(page_of(rep.get(url("figures", sequence))).text.split())
    assert "1. First contact 4 0.0 % 0 50.0 % 1 of 2 0.0 % 0 of 2 25.0 % 1" in text


def test_calendar_is_kept_and_made_the_default(browser: Browser, rep: Browser) -> None:
    new = reverse("sequences-settings:new-calendar")
    assert rep.get(new).status_code == 403
    page_of(browser.get(new))
    given = {
        "name": "Retail",
        "country": "de",
        "subdivision": "BY",
        "mon": "9:00-12:30, 13:00–17:00",
        "sat": "10:00–24:00",
        "closed": "2026-12-24",
        "yearly": "12-31",
    }
    assert browser.post(new, given).status_code == 302
    calendar = WorkCalendar.objects.get(name="Retail")
    assert calendar.hours == {
        "mon": [["09:00", "12:30"], ["13:00", "17:00"]],
        "sat": [["10:00", "24:00"]],
    }
    assert (calendar.country, [str(day) for day in calendar.closed]) == ("DE", ["2026-12-24"])
    page = page_of(browser.get(reverse("sequences-settings:calendars")))
    assert "Retail" in page.text
    shown = browser.get(reverse("sequences-settings:calendar", args=[calendar.pk]))
    assert shown.context["form"]["mon"].value() is not None
    assert "09:00–12:30, 13:00–17:00" in shown.content.decode()
    browser.post(reverse("sequences-settings:default-calendar", args=[calendar.pk]))
    assert WorkCalendar.objects.get(is_default=True) == calendar
    browser.post(reverse("sequences-settings:delete-calendar", args=[calendar.pk]))
    assert WorkCalendar.objects.filter(pk=calendar.pk).exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"mon": "all day"}, "mon"),
        ({"mon": "9:00-17:00", "closed": "tomorrow"}, "closed"),
        ({"mon": "9:00-17:00", "country": "XX"}, "country"),
        ({"mon": "25:00-26:00"}, "__all__"),
        ({}, "__all__"),
    ],
)
def test_wrong_calendar_is_said_at_its_field(
    browser: Browser, given: dict[str, str], field: str
) -> None:
    response = browser.post(reverse("sequences-settings:new-calendar"), {"name": "Retail", **given})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    page_of(response)


def test_another_teams_sequence_is_not_found(rep: Browser, browser: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = make_sequence(mail())
        calendar = WorkCalendar.objects.get()
    for name in ("detail", "people", "figures", "rules", "enrol", "preview"):
        assert rep.get(url(name, theirs)).status_code == 404
    for name in ("settings", "publish", "clone"):
        assert browser.get(url(name, theirs)).status_code == 404
    assert browser.post(url("verb", theirs, "pause")).status_code == 404
    assert (
        browser.get(reverse("sequences-settings:calendar", args=[calendar.pk])).status_code == 404
    )
    assert Sequence.unscoped.get(pk=theirs.pk).state == "active"


def test_timeline_of_the_lead_tells_what_happened(rep: Browser, tenant: Tenant) -> None:
    enrolment = enrol_one(make_sequence(mail()))
    for verb in ("pause", "resume", "stop"):
        rep.post(url("enrolment-verb", None, enrolment.pk, verb))
    text = page_of(rep.get(f"/leads/{enrolment.lead_id}")).text
    name = enrolment.sequence.name
    for words in (
        f"Came into the sequence {name}",
        f"{name} was paused",
        f"{name} goes on",
        f"{name} has ended",
    ):
        assert words in text
