"""Changes that go around a plain `save()`: none of them is silent, none tells what was not so."""

from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import transaction
from django.test.utils import isolate_apps
from django.utils import timezone

from events import Publisher, publishes
from events.models import Event
from events.publishers import SilentChange
from leads.models import Lead
from leads.payloads import LeadAssigned, LeadStageChanged, LeadUpdated
from salesflow.accounts.context import TenantNotSet, WrongTenant, tenant_context
from salesflow.accounts.models import Tenant
from tests.events.payloads import ThingHappened
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead, stage_called

# Of all tenants, which the type of the manager does not tell.
every_lead: Any = Lead.unscoped


@pytest.fixture
def lead(tenant: Tenant) -> Lead:
    return make_lead(company="Initech")


@pytest.fixture
def their_lead(tenant: Tenant) -> Lead:
    """A lead of another tenant than the current one."""
    with tenant_context(make_tenant("umbrella")):
        return make_lead(company="Initech")


def _rename(leads: list[Lead], company: str = "Globex") -> int:
    for lead in leads:
        lead.company = company
    updated: int = Lead.objects.bulk_update(leads, ["company"])
    return updated


def _edits() -> list[tuple[Any, Any]]:
    """What the leads' events say of their companies, whosever they are: old and new."""
    events = Event.unscoped.filter(type=LeadUpdated.event_type).order_by("position")
    told = [event.payload["changes"]["company"] for event in events]
    return [(change["old"], change["new"]) for change in told]


def _companies() -> set[str]:
    return set(every_lead.values_list("company", flat=True))


# --- update() -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stage", "stage_id", "owner", "owner_id", "outcome", "company"])
def test_update_of_a_watched_field_is_refused(lead: Lead, name: str) -> None:
    field = name.removesuffix("_id")
    with pytest.raises(SilentChange, match=f"Lead.{field} is watched"):
        Lead.objects.filter(id=lead.id).update(**{name: getattr(lead, name)})


def test_update_of_any_watched_field_among_others_is_refused(lead: Lead) -> None:
    with pytest.raises(SilentChange, match=r"Lead.company, owner is watched"):
        Lead.objects.update(updated_at=timezone.now(), owner_id=None, company="Globex")
    assert _companies() == {"Initech"}


def test_update_of_what_nobody_watches_is_djangos(lead: Lead) -> None:
    before = Event.objects.count()
    assert Lead.objects.update(updated_at=timezone.now()) == 1
    assert Event.objects.count() == before


# --- Foreign keys by the names of their columns -------------------------------------------------


@pytest.mark.parametrize("name", ["stage", "stage_id"])
def test_foreign_key_is_published_by_either_name_in_bulk(lead: Lead, name: str) -> None:
    before, lead.stage = lead.stage_id, stage_called("Qualified")
    Lead.objects.bulk_update([lead], [name])
    moved = Event.objects.get(type=LeadStageChanged.event_type).data
    assert isinstance(moved, LeadStageChanged)
    assert (moved.from_stage_id, moved.stage) == (before, "Qualified")


@pytest.mark.parametrize("name", ["stage", "stage_id"])
def test_foreign_key_is_published_by_either_name_when_saved(lead: Lead, name: str) -> None:
    lead.stage = stage_called("Qualified")
    lead.save(update_fields=[name])
    lead.save(update_fields=[name])
    assert Event.objects.filter(type=LeadStageChanged.event_type).count() == 1


@isolate_apps("tests.thirdparty")
def test_foreign_key_is_watched_by_either_name() -> None:
    @publishes(ThingHappened, on="change", fields=["tenant_id"])
    class Thing(Publisher):
        class Meta:
            app_label = "thirdparty"

    assert Thing.watched_fields() == {"tenant"}


@isolate_apps("tests.thirdparty")
def test_field_that_is_not_there_cannot_be_watched() -> None:
    with pytest.raises(FieldDoesNotExist, match="Thing has no field named 'colour'"):

        @publishes(ThingHappened, on="change", fields=["colour"])
        class Thing(Publisher):
            class Meta:
                app_label = "thirdparty"


# --- Fields that were not loaded ----------------------------------------------------------------


def test_change_survives_the_reading_of_a_deferred_field(lead: Lead) -> None:
    owner = make_user(lead.tenant)
    partly = Lead.objects.defer("title").get()
    partly.owner = owner
    assert partly.title == ""
    partly.save()
    assigned = Event.objects.get(type=LeadAssigned.event_type).data
    assert isinstance(assigned, LeadAssigned)
    assert (assigned.from_owner_id, assigned.owner_id) == (None, owner.id)


def test_change_survives_a_refresh_of_other_fields(lead: Lead) -> None:
    lead.company = "Globex"
    lead.refresh_from_db(fields=["title"])
    lead.save()
    assert _edits() == [("Initech", "Globex")]


@pytest.mark.parametrize("name", ["stage", "stage_id"])
def test_refreshed_field_counts_as_read(lead: Lead, name: str) -> None:
    moved = Lead.objects.get()
    moved.stage = stage_called("Qualified")
    moved.save()
    lead.refresh_from_db(fields=[name])
    lead.save()
    assert Event.objects.filter(type=LeadStageChanged.event_type).count() == 1


def test_field_that_is_set_unread_is_published_with_what_it_was(lead: Lead) -> None:
    assert _rename([Lead.objects.only("name").get()]) == 1
    assert _edits() == [("Initech", "Globex")]


def test_field_that_is_set_unread_to_what_it_was_is_not_published(lead: Lead) -> None:
    assert _rename([Lead.objects.only("name").get()], "Initech") == 1
    assert _edits() == []


# --- bulk_update() ------------------------------------------------------------------------------


def test_bulk_update_publishes_each_row_that_changed(tenant: Tenant) -> None:
    leads = [make_lead(company=company) for company in ("Initech", "Globex", "Hooli")]
    assert _rename(leads) == 3
    assert _edits() == [("Initech", "Globex"), ("Hooli", "Globex")]


def test_bulk_update_publishes_a_change_once(lead: Lead) -> None:
    _rename([lead])
    _rename([lead])
    lead.save()
    assert _edits() == [("Initech", "Globex")]


def test_bulk_update_publishes_only_the_named_fields(lead: Lead) -> None:
    lead.title = "Chief"
    _rename([lead])
    [event] = Event.objects.filter(type=LeadUpdated.event_type)
    assert event.payload["changes"].keys() == {"company"}
    lead.save()
    assert Event.objects.filter(type=LeadUpdated.event_type).count() == 2


def test_row_that_vanished_meanwhile_publishes_nothing(lead: Lead) -> None:
    gone = make_lead(company="Hooli")
    Lead.objects.get(id=gone.id).delete()
    assert _rename([gone, lead]) == 1
    assert _edits() == [("Initech", "Globex")]


def test_row_that_vanished_before_it_was_read_publishes_nothing(lead: Lead) -> None:
    gone = Lead.objects.only("name").get(id=make_lead(company="Hooli").id)
    Lead.objects.get(id=gone.id).delete()
    assert _rename([gone, lead]) == 1
    assert _edits() == [("Initech", "Globex")]


def test_row_that_the_queryset_leaves_out_publishes_nothing(lead: Lead) -> None:
    lead.company = "Globex"
    assert Lead.objects.filter(outcome="won").bulk_update([lead], ["company"]) == 0
    assert _edits() == []
    assert _companies() == {"Initech"}


def test_row_of_another_tenant_is_refused_before_anything_is_written(
    lead: Lead, their_lead: Lead
) -> None:
    with (
        pytest.raises(WrongTenant, match="Lead belongs to another tenant than acme"),
        transaction.atomic(),
    ):
        _rename([lead, their_lead])
    assert _companies() == {"Initech"}
    assert _edits() == []


@pytest.mark.parametrize("manager", ["objects", "unscoped"])
def test_row_whose_tenant_was_not_loaded_is_refused_as_well(their_lead: Lead, manager: str) -> None:
    theirs = every_lead.only("name").get(id=their_lead.id)
    theirs.company = "Globex"
    with pytest.raises(WrongTenant), transaction.atomic():
        getattr(Lead, manager).bulk_update([theirs], ["company"])
    assert _companies() == {"Initech"}


@pytest.mark.parametrize("manager", ["objects", "unscoped"])
def test_row_that_only_claims_its_tenant_is_not_updated(
    tenant: Tenant, their_lead: Lead, manager: str
) -> None:
    claimed = Lead(id=their_lead.id, company="Globex", tenant=tenant)
    assert getattr(Lead, manager).bulk_update([claimed], ["company"]) == 0
    assert _companies() == {"Initech"}
    assert _edits() == []


@pytest.mark.django_db
def test_bulk_update_wants_a_tenant() -> None:
    with tenant_context(make_tenant()):
        lead = make_lead()
    with pytest.raises(TenantNotSet):
        every_lead.bulk_update([lead], ["company"])


def test_row_made_with_the_text_of_its_key_is_found(lead: Lead) -> None:
    assert _rename([Lead(id=str(lead.id))]) == 1
    assert _edits() == [("Initech", "Globex")]


def test_row_without_a_key_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="must have a primary key"):
        _rename([Lead(id=None)])


@pytest.mark.parametrize("count", [1, 20])
def test_statements_do_not_grow_with_the_rows(
    tenant: Tenant, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        make_lead(company="Initech")
    whole, partly = list(Lead.objects.all()), list(Lead.objects.only("name"))
    # They are locked and updated; how the events are written depends on their number alone.
    with django_assert_num_queries(2) as queries:
        assert _rename(whole) == count
    assert "FOR NO KEY UPDATE" in queries.captured_queries[0]["sql"]
    with django_assert_num_queries(3):
        assert _rename(partly, "Hooli") == count
    assert _edits() == [("Initech", "Globex")] * count + [("Globex", "Hooli")] * count
