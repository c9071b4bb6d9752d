"""Leads and pipelines in the admin: what changes there publishes, as it does everywhere."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from events.models import Event
from leads.models import Lead, Note, Pipeline, Stage
from leads.queries import default_pipeline
from leads.services import add_note, create_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from salesflow.accounts.services import add_member
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_pipeline
from tests.staff import client_of, make_staff, make_superuser

LIST = reverse("admin:leads_lead_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    """The browser of a superuser."""
    return client_of(make_superuser())


def url_of(row: Any, view: str = "change") -> str:
    return reverse(f"admin:leads_{row._meta.model_name}_{view}", args=[row.pk])


def form_of(lead: Lead, **changes: Any) -> dict[str, Any]:
    """What a lead's form posts when nothing but `changes` is touched."""
    kept = {
        "name": lead.name,
        "company": lead.company,
        "title": lead.title,
        "owner": lead.owner_id or "",
        "stage": lead.stage_id,
        "lost_reason": lead.lost_reason,
        "value": lead.value or "",
        "currency": lead.currency,
        "source": lead.source,
        "external_id": lead.external_id,
        "tags": ",".join(lead.tags),
        **rows("contact_points"),
        **rows("notes"),
    }
    return {**kept, **changes}


def rows(prefix: str, total: int = 0, known: int = 0) -> dict[str, Any]:
    """The management form of an inline."""
    return {
        f"{prefix}-TOTAL_FORMS": total,
        f"{prefix}-INITIAL_FORMS": known,
        f"{prefix}-MIN_NUM_FORMS": 0,
        f"{prefix}-MAX_NUM_FORMS": 1000,
    }


def published(lead: Lead) -> list[str]:
    """The types of the lead's events after its creation."""
    events = Event.unscoped.filter(subject_id=lead.pk).order_by("position")
    return list(events.values_list("type", flat=True))[1:]


# --- Leads --------------------------------------------------------------------------------------


def test_edit_publishes_with_source_and_actor(tenant: Tenant) -> None:
    lead, admin = create_lead(name="Ada"), make_superuser()
    response = client_of(admin).post(url_of(lead), form_of(lead, company="Initech", tags="a,b"))
    assert response.status_code == 302
    lead.refresh_from_db()
    assert (lead.company, lead.tags) == ("Initech", ["a", "b"])
    event = Event.unscoped.get(subject_id=lead.pk, type="lead.updated")
    assert (event.source, event.actor_id, event.tenant) == ("admin", admin.pk, tenant)
    assert event.request_id == response["X-Request-ID"]


def test_move_and_assignment_publish(tenant: Tenant, root: Client) -> None:
    lead, owner = create_lead(name="Ada"), make_user()
    add_member(tenant, owner)
    won = default_pipeline().stage_of_kind("won")
    assert won
    form = form_of(lead, stage=won.pk, owner=owner.pk)
    assert root.post(url_of(lead), form).status_code == 302
    assert sorted(published(lead)) == ["lead.assigned", "lead.stage_changed", "lead.won"]


def test_nothing_changed_publishes_nothing(tenant: Tenant, root: Client) -> None:
    lead = create_lead(name="Ada")
    assert root.post(url_of(lead), form_of(lead)).status_code == 302
    assert published(lead) == []


def test_loss_needs_a_reason(tenant: Tenant, root: Client) -> None:
    lead = create_lead(name="Ada")
    lost = default_pipeline().stage_of_kind("lost")
    assert lost
    refused = root.post(url_of(lead), form_of(lead, stage=lost.pk, company="Initech"))
    assert list(refused.context["adminform"].form.errors) == ["lost_reason"]
    assert published(lead) == []
    form = form_of(lead, stage=lost.pk, lost_reason="Too dear")
    assert root.post(url_of(lead), form).status_code == 302
    assert "lead.lost" in published(lead)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("currency", "Euro"),
        ("value", "-1"),
        ("value", "much"),
        ("stage", "00000000-0000-0000-0000-000000000000"),
        ("owner", "999999"),
        ("lost_reason", "of no stage"),
    ],
)
def test_bad_input_is_named_at_its_field(
    tenant: Tenant, root: Client, field: str, value: str
) -> None:
    lead = create_lead(name="Ada")
    response = root.post(url_of(lead), form_of(lead, **{"company": "Initech", field: value}))
    assert list(response.context["adminform"].form.errors) == [field]
    lead.refresh_from_db()
    assert lead.company == ""
    assert published(lead) == []


def test_taken_external_id_is_named(tenant: Tenant, root: Client) -> None:
    create_lead(name="Grace", external_id="X-1")
    lead = create_lead(name="Ada")
    response = root.post(url_of(lead), form_of(lead, external_id="X-1"))
    assert list(response.context["adminform"].form.errors) == ["external_id"]


def test_stage_and_owner_of_another_tenant_are_no_choices(tenant: Tenant, root: Client) -> None:
    lead, other = create_lead(name="Ada"), make_tenant("globex")
    with tenant_context(other):
        stranger, stage = make_user(other), default_pipeline().stage_of_kind("won")
    assert stage
    form = form_of(lead, stage=stage.pk, owner=stranger.pk)
    errors = root.post(url_of(lead), form).context["adminform"].form.errors
    assert sorted(errors) == ["owner", "stage"]
    assert published(lead) == []


def test_new_note_publishes_and_old_ones_stay(tenant: Tenant) -> None:
    admin, lead = make_superuser(), create_lead(name="Ada")
    old = add_note(lead, "Wants a quote.")
    form = form_of(lead, **rows("notes", total=2, known=1))
    form |= {"notes-0-id": old.pk, "notes-0-body": "forged", "notes-1-body": "Called again."}
    assert client_of(admin).post(url_of(lead), form).status_code == 302
    notes = Note.objects.filter(lead=lead).order_by("created_at")
    assert [(note.body, note.author) for note in notes] == [
        ("Wants a quote.", None),
        ("Called again.", admin),
    ]
    assert published(lead) == ["note.added", "note.added"]


def test_deleting_publishes(tenant: Tenant, root: Client) -> None:
    first, second = create_lead(name="Ada"), create_lead(name="Grace")
    assert root.post(url_of(first, "delete"), {"post": "yes"}).status_code == 302
    form = {"action": "delete_selected", "_selected_action": second.pk, "post": "yes"}
    assert root.post(LIST, form).status_code == 302
    assert not Lead.unscoped.exists()
    assert published(first) == published(second) == ["lead.deleted"]


def test_search_finds_every_word_in_any_place(tenant: Tenant, root: Client) -> None:
    ada = create_lead(
        name="Ada Lovelace", company="Engines", emails=["ada@example.com"], external_id="X-1"
    )
    create_lead(name="Grace Hopper")
    for text in ("lovelace", "ENGINES ada", "ada@example", "X-1", ""):
        found = list(root.get(LIST, {"q": text}).context["cl"].result_list)
        assert (ada in found, len(found)) == (True, 1 if text else 2)
    assert not root.get(LIST, {"q": "ada hopper"}).context["cl"].result_list


def test_list_runs_the_same_queries_for_two_rows_and_for_fifty(
    tenant: Tenant, root: Client, django_assert_num_queries: Any
) -> None:
    # Session, user, membership, tenants of the filter, count, rows.
    create_lead(name="Ada", owner=None)
    with django_assert_num_queries(6):
        root.get(LIST)
    for number in range(60):
        create_lead(name=f"Lead {number}")
    with django_assert_num_queries(6):
        assert len(root.get(LIST).context["cl"].result_list) == 50


def test_who_may_only_look_changes_nothing(tenant: Tenant) -> None:
    lead = create_lead(name="Ada")
    client = client_of(make_staff(tenant, may=["view_lead"]))
    assert client.get(url_of(lead)).status_code == 200
    assert client.post(url_of(lead), form_of(lead, name="Taken")).status_code == 403
    assert client.post(url_of(lead, "delete"), {"post": "yes"}).status_code == 403
    lead.refresh_from_db()
    assert lead.name == "Ada"


# --- Pipelines ----------------------------------------------------------------------------------


def stage_rows(pipeline: Pipeline, *new: dict[str, Any]) -> dict[str, Any]:
    """What the form of a pipeline posts for its stages, and for new ones."""
    stages = list(Stage.unscoped.filter(pipeline=pipeline).order_by("position"))
    known = [
        {"id": s.pk, "position": s.position, "name": s.name, "probability": s.probability}
        for s in stages
    ]
    form = rows("stages", total=len(known) + len(new), known=len(known))
    for number, row in enumerate([*known, *new]):
        form |= {f"stages-{number}-{name}": value for name, value in row.items()}
    return form


def test_pipeline_with_stages_is_made_for_the_chosen_tenant(tenant: Tenant, root: Client) -> None:
    other = make_tenant("globex")
    stage = {"position": 1, "name": "Open", "probability": 20, "kind": "open"}
    form = {"tenant": other.pk, "name": "Partners", "position": 3, **rows("stages", total=1)}
    form |= {f"stages-0-{name}": value for name, value in stage.items()}
    assert root.post(reverse("admin:leads_pipeline_add"), form).status_code == 302
    pipeline = Pipeline.unscoped.get(name="Partners")
    made = Stage.unscoped.get(pipeline=pipeline)
    assert (pipeline.tenant, made.tenant, made.name) == (other, other, "Open")


def test_name_that_is_taken_within_the_tenant_is_refused(tenant: Tenant, root: Client) -> None:
    make_pipeline("Partners")
    add, form = reverse("admin:leads_pipeline_add"), {"name": "PARTNERS", "position": 3}
    assert root.post(add, {**form, "tenant": tenant.pk, **rows("stages")}).status_code == 200
    other = make_tenant("globex")
    assert root.post(add, {**form, "tenant": other.pk, **rows("stages")}).status_code == 302


def test_form_without_a_tenant_names_it(tenant: Tenant, root: Client) -> None:
    form = {"name": "Partners", "position": 3, "tenant": "", **rows("stages")}
    response = root.post(reverse("admin:leads_pipeline_add"), form)
    assert list(response.context["adminform"].form.errors) == ["tenant"]


def test_kind_of_a_stage_stays(tenant: Tenant, root: Client) -> None:
    pipeline = make_pipeline("Partners")
    form = {"name": "Partners", "position": 3, **stage_rows(pipeline)}
    form |= {"stages-0-kind": "lost", "stages-0-name": "Renamed"}
    assert root.post(url_of(pipeline), form).status_code == 302
    stage = pipeline.stages.order_by("position").first()
    assert stage
    assert (stage.name, stage.kind) == ("Renamed", "open")


def test_stage_with_leads_cannot_be_deleted(tenant: Tenant, root: Client) -> None:
    lead = create_lead(name="Ada")
    pipeline = default_pipeline()
    form = {"name": pipeline.name, "position": 0, **stage_rows(pipeline), "stages-0-DELETE": "on"}
    assert root.post(url_of(pipeline), form).status_code == 200
    assert Stage.unscoped.filter(pk=lead.stage_id).exists()


def test_new_leads_enter_the_pipeline_that_was_made_default(tenant: Tenant, root: Client) -> None:
    pipeline = make_pipeline("Partners")
    form = {"action": "make_default", "_selected_action": pipeline.pk}
    assert root.post(reverse("admin:leads_pipeline_changelist"), form).status_code == 302
    assert create_lead(name="Ada").stage.pipeline == pipeline
    assert Pipeline.objects.filter(is_default=True).count() == 1
    assert root.post(url_of(pipeline, "delete"), {"post": "yes"}).status_code == 403


def test_pipeline_without_an_open_stage_does_not_become_default(
    tenant: Tenant, root: Client
) -> None:
    pipeline, before = make_pipeline("Ends", stages=("Won", "Lost")), default_pipeline()
    form = {"action": "make_default", "_selected_action": pipeline.pk}
    page = root.post(reverse("admin:leads_pipeline_changelist"), form, follow=True)
    assert "has no open stage" in page.content.decode()
    assert default_pipeline() == before
