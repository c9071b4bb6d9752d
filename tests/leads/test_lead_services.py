"""What the verbs on leads change, publish and refuse."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from events.models import Event
from leads import services
from leads.models import Lead, Outcome, Pipeline, Stage
from leads.queries import default_pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead, make_pipeline, stage_called


def published(event_type: str = "") -> list[Event]:
    """The tenant's events in the order of the log."""
    events = Event.objects.order_by("position")
    return list(events.filter(type=event_type) if event_type else events)


def test_a_new_tenant_has_a_default_pipeline(tenant: Tenant) -> None:
    stages = [(s.name, s.probability, s.kind) for s in default_pipeline().stages.all()]

    assert stages == [
        ("New", 10, "open"),
        ("Qualified", 25, "open"),
        ("Proposal", 50, "open"),
        ("Negotiation", 75, "open"),
        ("Won", 100, "won"),
        ("Lost", 0, "lost"),
    ]


def test_asking_for_the_default_pipeline_again_makes_no_second_one(tenant: Tenant) -> None:
    assert services.create_default_pipeline(tenant) == default_pipeline()
    assert Pipeline.objects.count() == 1
    assert Stage.objects.count() == 6


def test_a_created_lead_is_complete_and_published(tenant: Tenant) -> None:
    owner = make_user(tenant, name="Grace")

    lead = services.create_lead(
        name="  Ada Lovelace ",
        company="Analytical Engines",
        emails=["Ada@Example.COM", "ada@example.com", "countess@example.com"],
        phones=["(212) 555-0123"],
        owner=owner,
        value="1234.50",
        currency="eur",
        tags=["vip", " vip ", "math"],
        custom_fields={"seats": 12},
        external_id="CRM-1",
        source="fair",
    )

    lead = Lead.objects.get(pk=lead.pk)
    assert lead.name == "Ada Lovelace"
    assert lead.emails == ["ada@example.com", "countess@example.com"]
    assert lead.phones == ["+12125550123"]
    assert (lead.value, lead.currency, lead.tags) == (Decimal("1234.50"), "EUR", ["vip", "math"])
    assert (lead.stage.name, lead.outcome, lead.closed_at) == ("New", "open", None)
    [event] = published()
    assert event.type == "lead.created"
    assert event.subject_id == lead.id
    assert event.occurred_at == lead.created_at
    assert event.payload["source"] == "fair"
    assert event.payload["owner"] == "Grace"
    assert event.payload["value"] == "1234.50"


def test_a_lead_created_as_won_in_the_past_is_dated_there(tenant: Tenant) -> None:
    then = datetime(2019, 5, 6, tzinfo=UTC)

    lead = make_lead(stage=stage_called("Won"), created_at=then)

    assert (lead.outcome, lead.closed_at, lead.stage_entered_at) == ("won", then, then)
    assert [(e.type, e.occurred_at) for e in published()] == [
        ("lead.created", then),
        ("lead.won", then),
    ]


def test_a_lead_is_called_by_its_company_or_address_when_it_has_no_name(tenant: Tenant) -> None:
    assert services.create_lead(company="Acme").name == "Acme"
    assert services.create_lead(emails=["a@example.com"]).name == "a@example.com"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "A", "emails": ["nobody"]}, "emails"),
        ({"name": "A", "phones": ["12"]}, "phones"),
        ({"name": "A", "phones": ["call me"]}, "phones"),
        ({"name": "A", "value": "-1"}, "value"),
        ({"name": "A", "value": "a lot"}, "value"),
        ({"name": "A", "value": "NaN"}, "value"),
        ({"name": "A", "value": "1.234"}, "value"),
        ({"name": "A", "value": "1" * 13}, "value"),
        ({"name": "A", "currency": "EURO"}, "currency"),
        ({"name": "A", "currency": "ÄÖÜ"}, "currency"),
        ({"name": "A", "tags": ["x" * 51]}, "tags"),
        ({"name": "A", "custom_fields": ["no", "mapping"]}, "custom_fields"),
        ({"name": "A", "custom_fields": {"key": "a\x00b"}}, "custom_fields"),
        ({"name": "A\x00", "company": "B"}, "name"),
        ({"name": "A", "nickname": "B"}, "nickname"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(
    tenant: Tenant, fields: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        services.create_lead(**fields)

    assert list(refused.value.message_dict) == [wrong]
    assert not Lead.objects.exists()
    assert not published()


def test_a_second_lead_with_an_external_id_is_refused(tenant: Tenant) -> None:
    make_lead(name="Ada", external_id="7")

    with pytest.raises(ValidationError, match="Ada") as refused:
        make_lead(external_id="7")

    assert list(refused.value.message_dict) == ["external_id"]
    assert Lead.objects.count() == 1


def test_another_tenant_may_use_the_same_external_id_and_address(tenant: Tenant) -> None:
    make_lead(external_id="7", emails=["ada@example.com"])

    with tenant_context(make_tenant()):
        make_lead(external_id="7", emails=["ada@example.com"])
        assert Lead.objects.count() == 1


def test_an_edit_publishes_old_and_new_values_of_what_changed(tenant: Tenant) -> None:
    lead = make_lead(name="Ada", value="10.00", tags=["a"])

    lead = services.edit_lead(lead, name="Ada L.", value="12.50", tags=["a"])

    [event] = published("lead.updated")
    assert event.payload["changes"] == {
        "name": {"old": "Ada", "new": "Ada L."},
        "value": {"old": "10.00", "new": "12.50"},
    }


def test_an_edit_of_addresses_publishes_them_and_keeps_the_first_as_primary(tenant: Tenant) -> None:
    lead = make_lead(emails=["a@example.com", "b@example.com"])

    lead = services.edit_lead(lead, emails=["c@example.com", "a@example.com"])

    assert Lead.objects.get(pk=lead.pk).emails == ["c@example.com", "a@example.com"]
    [event] = published("lead.updated")
    assert event.payload["changes"] == {
        "emails": {
            "old": ["a@example.com", "b@example.com"],
            "new": ["c@example.com", "a@example.com"],
        }
    }


def test_an_edit_that_changes_nothing_publishes_nothing(tenant: Tenant) -> None:
    lead = make_lead(name="Ada", emails=["a@example.com"], value="5")

    services.edit_lead(lead, name=" Ada", emails=["A@example.com"], value="5.00")

    assert not published("lead.updated")


def test_an_address_of_another_lead_is_refused_by_name(tenant: Tenant) -> None:
    make_lead(name="Ada", emails=["ada@example.com"])
    bob = make_lead(name="Bob")

    with pytest.raises(ValidationError, match="already belongs to the lead “Ada”") as refused:
        services.edit_lead(bob, name="Robert", emails=["ADA@example.com"])

    assert list(refused.value.message_dict) == ["emails"]
    assert Lead.objects.get(pk=bob.pk).name == "Bob"


def test_a_german_tenant_reads_phone_numbers_and_money_as_german(db: None) -> None:
    with tenant_context(make_tenant(language="de")):
        lead = make_lead(phones=["030 901820"])

        assert (lead.phones, lead.currency) == (["+4930901820"], "EUR")


def test_moving_publishes_both_stages(tenant: Tenant) -> None:
    lead = make_lead()

    lead = services.move_lead(lead, stage_called("Proposal"))

    [event] = published("lead.stage_changed")
    assert (event.payload["from_stage"], event.payload["stage"]) == ("New", "Proposal")
    assert event.occurred_at == lead.stage_entered_at


def test_moving_to_the_stage_it_is_in_does_nothing(tenant: Tenant) -> None:
    services.move_lead(make_lead(), stage_called("New"))

    assert [event.type for event in published()] == ["lead.created"]


def test_winning_closes_the_deal(tenant: Tenant) -> None:
    lead = services.win_lead(make_lead(value=100))

    assert (lead.outcome, lead.stage.name, lead.lost_reason) == ("won", "Won", "")
    assert lead.closed_at
    assert [event.type for event in published()] == [
        "lead.created",
        "lead.stage_changed",
        "lead.won",
    ]
    assert published("lead.won")[0].payload["value"] == "100.00"


def test_losing_needs_a_reason(tenant: Tenant) -> None:
    lead = make_lead()

    with pytest.raises(ValidationError) as refused:
        services.lose_lead(lead, reason="  ")
    assert list(refused.value.message_dict) == ["lost_reason"]
    with pytest.raises(ValidationError):
        services.move_lead(lead, stage_called("Lost"))

    lead = services.lose_lead(lead, reason="too dear")
    assert (lead.outcome, lead.lost_reason) == ("lost", "too dear")
    assert published("lead.lost")[0].payload["reason"] == "too dear"


def test_moving_a_lost_deal_to_an_open_stage_opens_it_again(tenant: Tenant) -> None:
    lead = services.lose_lead(make_lead(), reason="budget")

    lead = services.move_lead(lead, stage_called("Negotiation"))

    lead = Lead.objects.get(pk=lead.pk)
    assert (lead.outcome, lead.closed_at, lead.lost_reason) == ("open", None, "")


def test_a_pipeline_without_a_won_stage_cannot_be_won(tenant: Tenant) -> None:
    stage = make_pipeline(stages=["Open", "Lost"]).stages.get(kind=Outcome.OPEN)

    with pytest.raises(ValidationError, match="no such stage"):
        services.win_lead(make_lead(stage=stage))


def test_a_stage_of_another_tenant_is_refused(tenant: Tenant) -> None:
    lead = make_lead()
    with tenant_context(make_tenant()):
        foreign = stage_called("Proposal")

    with pytest.raises(ValidationError) as refused:
        services.move_lead(lead, foreign)

    assert list(refused.value.message_dict) == ["stage"]


def test_a_move_before_the_lead_came_in_is_refused(tenant: Tenant) -> None:
    lead = make_lead()

    with pytest.raises(ValidationError) as refused:
        services.win_lead(lead, at=lead.created_at - timedelta(days=1))

    assert list(refused.value.message_dict) == ["at"]


def test_assigning_publishes_and_refuses_strangers(tenant: Tenant) -> None:
    lead, grace = make_lead(), make_user(tenant, name="Grace")

    services.assign_lead(lead, grace)
    services.assign_lead(lead, grace)
    lead = services.assign_lead(lead, None)

    assert lead.owner is None
    assert [
        (e.payload["owner"], e.payload["from_owner_id"]) for e in published("lead.assigned")
    ] == [
        ("Grace", None),
        ("", grace.pk),
    ]
    with pytest.raises(ValidationError) as refused:
        services.assign_lead(lead, make_user())
    assert list(refused.value.message_dict) == ["owner"]


def test_a_note_is_published_and_must_say_something(tenant: Tenant) -> None:
    lead, author = make_lead(), make_user(tenant)

    note = services.add_note(lead, " Likes tea. ", author=author)

    [event] = published("note.added")
    assert (event.payload["body"], event.payload["note_id"]) == ("Likes tea.", str(note.id))
    assert event.subject_id == lead.id
    for body in ("  ", "x" * 10_001):
        with pytest.raises(ValidationError):
            services.add_note(lead, body)


def test_a_deleted_lead_leaves_its_events(tenant: Tenant) -> None:
    lead = make_lead(emails=["a@example.com"])
    services.add_note(lead, "Hello")

    services.delete_lead(lead)

    assert not Lead.objects.exists()
    assert [e.type for e in published()] == ["lead.created", "note.added", "lead.deleted"]
    make_lead(emails=["a@example.com"])


def test_a_lead_of_another_tenant_cannot_be_changed(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        foreign = make_lead(name="Foreign")

    with pytest.raises(Lead.DoesNotExist):
        services.edit_lead(foreign, name="Mine")
    with pytest.raises(Lead.DoesNotExist):
        services.delete_lead(foreign)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": Decimal("-0.01")},
        {"currency": "eur"},
        {"name": ""},
        {"outcome": "won"},
        {"closed_at": datetime(2024, 1, 1, tzinfo=UTC)},
        {"lost_reason": "why not"},
    ],
)
def test_the_database_refuses_what_no_service_would_write(
    tenant: Tenant, fields: dict[str, Any]
) -> None:
    lead = make_lead()
    for name, value in fields.items():
        setattr(lead, name, value)

    with pytest.raises(IntegrityError), transaction.atomic():
        lead.save()
