"""What is found, and at what price."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import queries, services
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead


@pytest.mark.parametrize(
    "text",
    ["lovel", "LOVELACE", "engines", "ada@exam", "2125550", "ada engines", "  ada  ", "%da", "a_a"],
)
def test_search_matches_parts_of_name_company_and_contacts(tenant: Tenant, text: str) -> None:
    ada = make_lead(
        name="Ada Lovelace %da a_a",
        company="Analytical Engines",
        emails=["ada@example.com"],
        phones=["(212) 555-0123"],
    )
    make_lead(name="Bob", company="Bolts", emails=["bob@example.com"])

    assert list(queries.search_leads(queries.leads(), text)) == [ada]


def test_search_wants_every_word(tenant: Tenant) -> None:
    make_lead(name="Ada", company="Engines")

    assert not queries.search_leads(queries.leads(), "ada bolts").exists()


def test_search_never_finds_another_tenants_leads(tenant: Tenant) -> None:
    with tenant_context(make_tenant()):
        make_lead(name="Ada", emails=["ada@example.com"])

    assert not queries.search_leads(queries.leads(), "ada").exists()


def test_a_list_costs_two_queries_whatever_its_length(
    tenant: Tenant, django_assert_num_queries: Any
) -> None:
    owner = make_user(tenant)
    for number in range(5):
        make_lead(owner=owner, emails=[f"a{number}@example.com"])

    with django_assert_num_queries(2):
        shown = [
            (lead.name, lead.stage.name, str(lead.owner), lead.emails) for lead in queries.leads()
        ]

    assert len(shown) == 5


def test_a_lead_with_its_details_costs_four_queries(
    tenant: Tenant, django_assert_num_queries: Any
) -> None:
    lead = make_lead(emails=["a@example.com"])
    services.add_note(lead, "One", author=make_user(tenant))
    services.add_note(lead, "Two", author=make_user(tenant))

    with django_assert_num_queries(4):
        found = queries.lead_with_details(lead.id)
        assert [str(note.author) for note in found.notes.all()]
        assert found.stage.pipeline.name


def test_a_leads_history_starts_with_the_last_event(tenant: Tenant) -> None:
    lead = services.win_lead(make_lead())
    make_lead()

    types = [event.type for event in queries.lead_events(lead)]

    assert types == ["lead.won", "lead.stage_changed", "lead.created"]


def test_a_contact_leads_to_its_lead(tenant: Tenant) -> None:
    lead = make_lead(emails=["a@example.com"])

    assert queries.find_lead_by_contact("email", "a@example.com") == lead
    assert queries.find_lead_by_contact("email", "b@example.com") is None


def test_sources_are_listed_once_each(tenant: Tenant) -> None:
    for source in ("web", "fair", "web", "fair", "api"):
        make_lead(source=source)
    with tenant_context(make_tenant()):
        make_lead(source="foreign")

    with CaptureQueriesContext(
        connection,
    ) as statements:
        assert queries.lead_sources() == ["api", "fair", "web"]
    assert len(statements) == 1


MANY_LEADS = """
    INSERT INTO leads_lead (id, tenant_id, name, company, title, source, currency, tags,
        custom_fields, external_id, stage_id, outcome, lost_reason, created_at, stage_entered_at,
        updated_at)
    SELECT gen_random_uuid(), tenant_id, 'Person ' || md5(number::text), 'Firm ' || number, '',
        'web', 'USD', '{}', '{}', '', stage_id, 'open', '', now(), now(), now()
    FROM leads_lead, generate_series(1, 20000) AS number;
    INSERT INTO leads_contactpoint (id, tenant_id, lead_id, kind, value, is_primary)
    SELECT gen_random_uuid(), tenant_id, id, 'email', id || '@example.com', true FROM leads_lead;
    ANALYZE leads_lead, leads_contactpoint;
"""


def test_search_is_served_by_the_trigram_indexes(tenant: Tenant) -> None:
    make_lead(name="Zoe")
    with connection.cursor() as cursor:
        cursor.execute(MANY_LEADS)

    # Words that no hexadecimal digits spell: one in the planner's sample would count as many rows.
    for text in ("lovelace", "zoe@example"):
        plan = queries.search_leads(Lead.objects.all(), text).explain()
        assert plan.count("Bitmap Index Scan on lead_search") == 2
        assert "Bitmap Index Scan on contact_point_search" in plan
        assert "Seq Scan" not in plan
