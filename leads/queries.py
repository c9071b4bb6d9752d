"""What reads leads; every query is of the current tenant."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from events.models import Event
from leads.models import ContactPoint, Lead, Pipeline, Stage


def default_pipeline() -> Pipeline:
    """The pipeline that new leads enter, with its stages."""
    pipeline: Pipeline = pipelines().get(is_default=True)
    return pipeline


def pipelines() -> QuerySet[Pipeline]:
    """The pipelines with their stages, in order, in two queries."""
    stages = Stage.objects.order_by("position", "name")
    rows: QuerySet[Pipeline] = Pipeline.objects.prefetch_related(Prefetch("stages", stages))
    return rows


def leads() -> QuerySet[Lead]:
    """The leads with all that a list shows of them, in two queries whatever their number."""
    rows: QuerySet[Lead] = Lead.objects.select_related("stage", "owner")
    return rows.prefetch_related("contact_points")


def lead_with_details(lead_id: UUID) -> Lead:
    """One lead with its stage, pipeline, owner, contact points and notes.

    Raises:
        Lead.DoesNotExist: the tenant has no such lead.
    """
    rows = Lead.objects.select_related("stage__pipeline", "owner")
    lead: Lead = rows.prefetch_related("contact_points", "notes__author").get(id=lead_id)
    return lead


def search_leads(rows: QuerySet[Lead], text: str) -> QuerySet[Lead]:
    """The leads among `rows` in which every word of `text` is part of the name, the company,
    an e-mail address or a phone number."""
    for word in text.split():
        named = Lead.objects.filter(name__icontains=word).values("id")
        working_at = Lead.objects.filter(company__icontains=word).values("id")
        reached_at = ContactPoint.objects.filter(value__icontains=word).values("lead_id")
        # A union lets each part use its own trigram index; an OR across the join uses none.
        rows = rows.filter(id__in=named.union(working_at, reached_at, all=True))
    return rows


def lead_events(lead: Lead) -> QuerySet[Event]:
    """The events of a lead, the last that happened first."""
    rows: QuerySet[Event] = Event.objects.filter(subject_type="lead", subject_id=lead.id)
    return rows.order_by("-occurred_at", "-position")


def find_lead_by_contact(kind: str, value: str) -> Lead | None:
    """The lead that an e-mail address or phone number, in normal form, leads to."""
    point = ContactPoint.objects.filter(kind=kind, value=value).select_related("lead").first()
    return point.lead if point else None
