"""What changes leads. Each verb locks its lead, so that two at once give two consistent events,
and returns the lead as it is now; bad input raises ValidationError with field → messages."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import publish
from leads.contact_points import FIELDS, Kind, normalise, set_contact_points
from leads.mentions import note_mentions
from leads.models import Lead, Note, Outcome, Pipeline, Stage
from leads.payloads import FieldChange, LeadDeleted, LeadUpdated
from leads.queries import default_pipeline
from salesflow.accounts.context import current_tenant, tenant_context
from salesflow.accounts.models import Membership, Tenant, User

# Name, probability in percent, kind.
DEFAULT_STAGES = [
    (gettext_lazy("New"), 10, Outcome.OPEN),
    (gettext_lazy("Qualified"), 25, Outcome.OPEN),
    (gettext_lazy("Proposal"), 50, Outcome.OPEN),
    (gettext_lazy("Negotiation"), 75, Outcome.OPEN),
    (gettext_lazy("Won"), 100, Outcome.WON),
    (gettext_lazy("Lost"), 0, Outcome.LOST),
]
TEXT_FIELDS = ("name", "company", "title", "source", "external_id", "time_zone")


class LeadFields(TypedDict, total=False):
    """What a rep knows and may edit about a lead."""

    name: str
    company: str
    title: str
    emails: Iterable[str]
    phones: Iterable[str]
    profiles: Iterable[str]
    source: str
    value: Decimal | str | float | None
    currency: str
    tags: Iterable[str]
    custom_fields: Mapping[str, Any]
    external_id: str
    time_zone: str
    country: str


@transaction.atomic
def create_default_pipeline(tenant: Tenant) -> Pipeline:
    """The tenant's default pipeline, made when there is none, its stages named in its language."""
    with tenant_context(tenant), translation.override(tenant.language):
        pipeline: Pipeline
        pipeline, created = Pipeline.objects.get_or_create(
            tenant=tenant, is_default=True, defaults={"name": _("Sales")}
        )
        if created:
            Stage.objects.bulk_create(
                Stage(
                    pipeline=pipeline, name=str(name), position=position, probability=p, kind=kind
                )
                for position, (name, p, kind) in enumerate(DEFAULT_STAGES, start=1)
            )
        return pipeline


@transaction.atomic
def make_default_pipeline(pipeline: Pipeline) -> None:
    """Let new leads enter `pipeline` from now on.

    Raises:
        ValidationError: it has no open stage that a lead could enter.
    """
    if pipeline.stage_of_kind(Outcome.OPEN) is None:
        raise ValidationError(
            {"pipeline": _("The pipeline “%(name)s” has no open stage.") % {"name": pipeline.name}}
        )
    Pipeline.objects.filter(is_default=True).update(is_default=False)
    pipeline.is_default = True
    pipeline.save(update_fields=["is_default"])


def create_pipeline_of_new_tenant(
    instance: Tenant, *, created: bool, raw: bool = False, **_signal: Any
) -> None:
    """Receiver of Tenant's post_save: no tenant is ever without a pipeline."""
    if created and not raw:
        create_default_pipeline(instance)


def default_currency(tenant: Tenant) -> str:
    """The ISO 4217 code assumed where nothing else says it."""
    return "EUR" if tenant.language == "de" else "USD"


@transaction.atomic
def create_lead(
    *,
    owner: User | None = None,
    stage: Stage | None = None,
    lost_reason: str = "",
    created_at: datetime | None = None,
    **fields: Unpack[LeadFields],
) -> Lead:
    """Create a lead of the current tenant, in the default pipeline's first stage unless told.

    Args:
        owner: the member it belongs to.
        stage: a stage of kind won or lost makes a deal that is closed already.
        lost_reason: required by a stage of kind lost.
        created_at: when it came in; now when not given.
        fields: a name, a company or an e-mail address is needed; the rest is optional.

    Raises:
        ValidationError: a field is wrong, or another lead has that contact point or external id.
    """
    points = _contact_points(fields)
    fields.setdefault("currency", default_currency(current_tenant()))
    lead = Lead(owner=owner, created_at=created_at or timezone.now())
    _apply(lead, fields)
    lead.name = lead.name or lead.company or next(iter(points.get(Kind.EMAIL, [])), "")
    _check_owner(owner)
    _enter(lead, stage or _first_stage(), lost_reason=lost_reason, at=lead.created_at)
    _check(lead)
    _save(lead)
    for kind, values in points.items():
        set_contact_points(lead, kind, values)
    return lead


@transaction.atomic
def edit_lead(lead: Lead, *, seen_at: datetime | None = None, **fields: Unpack[LeadFields]) -> Lead:
    """Change what is known about a lead; what is not named stays.

    Args:
        seen_at: the lead's `updated_at` as the editor knows it; None overwrites whatever is there.

    Raises:
        ValidationError: a field is wrong, or another lead has that contact point or external id;
            with the code "stale" when the lead was changed since `seen_at`.
    """
    points = _contact_points(fields)
    lead = lock_lead(lead)
    if seen_at and seen_at != lead.updated_at:
        raise ValidationError(_("Somebody changed this lead in the meantime."), code="stale")
    _apply(lead, fields)
    _check(lead)
    _save(lead)
    _edit_contact_points(lead, points)
    return lead


@transaction.atomic
def move_lead(
    lead: Lead, stage: Stage, *, lost_reason: str = "", at: datetime | None = None
) -> Lead:
    """Move a lead to `stage`; one of kind won or lost closes it, an open one opens it again.

    Args:
        lost_reason: required by a stage of kind lost.
        at: when it entered the stage; now when not given.

    Raises:
        ValidationError: the stage is another tenant's, the reason is missing, or `at` is earlier
            than the lead.
    """
    lead = lock_lead(lead)
    if lead.stage_id == stage.id:
        return lead
    _enter(lead, stage, lost_reason=lost_reason, at=at or timezone.now())
    _save(lead)
    return lead


def win_lead(lead: Lead, *, at: datetime | None = None) -> Lead:
    """Move a lead to its pipeline's first stage of kind won.

    Raises:
        ValidationError: the pipeline has no such stage.
    """
    return move_lead(lead, _closing_stage(lead, Outcome.WON), at=at)


def lose_lead(lead: Lead, *, reason: str, at: datetime | None = None) -> Lead:
    """Move a lead to its pipeline's first stage of kind lost.

    Raises:
        ValidationError: no reason, or the pipeline has no such stage.
    """
    return move_lead(lead, _closing_stage(lead, Outcome.LOST), lost_reason=reason, at=at)


@transaction.atomic
def assign_lead(lead: Lead, owner: User | None) -> Lead:
    """Give a lead to a member of the tenant, or to nobody.

    Raises:
        ValidationError: the owner is no member.
    """
    _check_owner(owner)
    lead = lock_lead(lead)
    if lead.owner_id != (owner.pk if owner else None):
        lead.owner = owner
        _save(lead)
    return lead


@transaction.atomic
def add_note(lead: Lead, body: str, *, author: User | None = None) -> Note:
    """Write a note on a lead; colleagues whom it names with an “@” are told.

    Raises:
        ValidationError: the note is empty or longer than 10,000 characters.
    """
    lead = lock_lead(lead)
    note = Note(lead=lead, author=author, body=_text(body, "body"))
    if len(note.body) > 10_000:
        raise ValidationError({"body": _("A note holds up to 10,000 characters.")})
    if not note.body:
        raise ValidationError({"body": _("Write something.")})
    note.save()
    note_mentions(note)
    return note


@transaction.atomic
def delete_lead(lead: Lead) -> None:
    """Delete a lead with its contact points and notes; its events stay."""
    lead = lock_lead(lead)
    publish(LeadDeleted(lead_id=lead.id, source=lead.source, outcome=lead.outcome))
    lead.delete()


def lock_lead(lead: Lead) -> Lead:
    """The lead as it is in the database, locked until the transaction ends.

    Raises:
        Lead.DoesNotExist: it was deleted, or belongs to another tenant than the current one.
    """
    # No join: PostgreSQL drops a row from a join whose key was changed while we waited for it.
    locked: Lead = Lead.objects.select_for_update().get(pk=lead.pk)
    return locked


def _first_stage() -> Stage:
    stage = default_pipeline().stage_of_kind(Outcome.OPEN)
    if stage is None:
        raise ValidationError({"stage": _("The default pipeline has no open stage.")})
    return stage


def _closing_stage(lead: Lead, kind: str) -> Stage:
    stage = lead.stage.pipeline.stage_of_kind(kind)
    if stage is None:
        pipeline = lead.stage.pipeline.name
        raise ValidationError(
            {"stage": _("The pipeline “%(name)s” has no such stage.") % {"name": pipeline}}
        )
    return stage


def _enter(lead: Lead, stage: Stage, *, lost_reason: str, at: datetime) -> None:
    """Check a move and make it on the row in memory."""
    reason = _text(lost_reason, "lost_reason")
    if stage.tenant_id != current_tenant().id:
        raise ValidationError({"stage": _("There is no such stage.")})
    if stage.kind == Outcome.LOST and not reason:
        raise ValidationError({"lost_reason": _("Say why the deal was lost.")})
    if len(reason) > 500:
        raise ValidationError({"lost_reason": _("A reason holds up to 500 characters.")})
    if at < lead.created_at:
        raise ValidationError({"at": _("That is before the lead came in.")})
    lead.enter_stage(stage, at=at, lost_reason=reason)


def _check_owner(owner: User | None) -> None:
    if owner and not Membership.objects.filter(user=owner, user__is_active=True).exists():
        raise ValidationError({"owner": _("The owner must be a member of the team.")})


def _contact_points(fields: LeadFields) -> dict[str, list[str]]:
    """The contact points named in `fields`, in normal form, by kind."""
    return {
        kind: normalise(kind, fields[name])  # type: ignore[literal-required]
        for kind, name in FIELDS.items()
        if name in fields
    }


def _apply(lead: Lead, fields: LeadFields) -> None:
    """Set the row's fields in memory, tidied."""
    for name, given in fields.items():
        if name in FIELDS.values():
            continue
        if name not in LeadFields.__annotations__:
            raise ValidationError({name: _("There is no such field.")})
        setattr(lead, name, _tidy(name, given))


def _tidy(name: str, given: Any) -> Any:
    if name in TEXT_FIELDS:
        return _text(given, name)
    if name in ("currency", "country"):
        return _text(given, name).upper()
    if name == "tags":
        return list(dict.fromkeys(filter(None, (_text(tag, name) for tag in given))))
    if name == "custom_fields" and "\\u0000" in json.dumps(given, default=str):
        raise ValidationError({name: _("Null characters are not allowed.")})
    return given


def _text(value: str, field: str) -> str:
    if "\x00" in value:
        raise ValidationError({field: _("Null characters are not allowed.")})
    return value.strip()


def _check(lead: Lead) -> None:
    """Raise ValidationError for every field of the row that is wrong."""
    errors: dict[str, Any] = {}
    try:
        lead.clean_fields(exclude=["tenant", "owner", "stage", "name"])
    except ValidationError as error:
        errors = error.error_dict
    if not lead.name:
        errors["name"] = [_("Give a name, a company or an e-mail address.")]
    elif len(lead.name) > 200:
        errors["name"] = [_("A name holds up to 200 characters.")]
    if not (lead.currency.isascii() and lead.currency.isalpha() and len(lead.currency) == 3):
        errors["currency"] = [_("A currency has three letters, such as EUR.")]
    if not isinstance(lead.custom_fields, dict):
        errors["custom_fields"] = [_("Custom fields are a mapping of names to values.")]
    if errors:
        raise ValidationError(errors)


def _save(lead: Lead) -> None:
    """Write the row, which publishes what changed."""
    clash = Lead.objects.filter(external_id=lead.external_id).exclude(pk=lead.pk)
    other = clash.first() if lead.external_id else None
    if other is None:
        try:
            with transaction.atomic():
                lead.save()
            return
        except IntegrityError:
            # Another request took the id between our look and our write; anything else is a bug.
            other = clash.first() if lead.external_id else None
            if other is None:
                raise
    raise ValidationError(
        {"external_id": _("The lead “%(name)s” has this external id.") % {"name": other.name}}
    )


def _edit_contact_points(lead: Lead, points: dict[str, list[str]]) -> None:
    changes: dict[str, FieldChange] = {}
    for kind, values in points.items():
        old = lead.values_of(kind)
        if old != values:
            set_contact_points(lead, kind, values)
            changes[FIELDS[Kind(kind)]] = FieldChange(old=list(old), new=list(values))
    if changes:
        publish(LeadUpdated(lead_id=lead.id, changes=changes))
        lead.save(update_fields=["updated_at"])
