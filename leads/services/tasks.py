"""Adding tasks, and settling them: done, or decided against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from leads.models import Lead, Task
from leads.services.moments import wrong_moment
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members

# A lead, what asks for a task of theirs, and what that calls it.
TaskKey = tuple[UUID, str, str]
LONGEST_TITLE, LONGEST_BODY, LONGEST_REASON = 200, 10_000, 500


@dataclass(frozen=True)
class TaskDraft:
    """A task that is to be added.

    Attributes:
        kind: a `Task.Kind`.
        due_at: None: some time.
        assignee: a member of the team; None: whoever takes it.
        source: what asks for it, such as "sequence"; empty: a person.
        source_id: what that calls it, such as a step: asked for once more for the lead, it is the
            task that there is.
    """

    lead: Lead
    title: str
    body: str = ""
    kind: str = Task.Kind.TODO
    due_at: datetime | None = None
    assignee: User | None = None
    source: str = ""
    source_id: str = ""

    @property
    def key(self) -> TaskKey | None:
        """What tells the task from the lead's others; None where it may be asked for often."""
        if not (self.source and self.source_id):
            return None
        return self.lead.pk, self.source, self.source_id


def add_task(
    lead: Lead,
    *,
    title: str,
    body: str = "",
    kind: str = Task.Kind.TODO,
    due_at: datetime | None = None,
    assignee: User | None = None,
    source: str = "",
    source_id: str = "",
) -> Task:
    """Give somebody of the team something to do about a lead; see `TaskDraft`.

    Returns:
        The task; the known one where its source has asked for it before, for this lead.

    Raises:
        ValidationError: by `title`, `body`, `kind`, `due_at` or `assignee`.
        Lead.DoesNotExist: the lead was deleted, or belongs to another tenant.
    """
    draft = TaskDraft(lead, title, body, kind, due_at, assignee, source, source_id)
    [outcome] = add_tasks([draft])
    if isinstance(outcome, Task):
        return outcome
    if "lead" in outcome.error_dict:
        raise Lead.DoesNotExist(outcome.messages)
    raise outcome


@transaction.atomic
def add_tasks(drafts: Sequence[TaskDraft]) -> list[Task | ValidationError]:
    """Add many tasks, in as many statements as one.

    Returns:
        For each draft, in order, its task, or why there is none; see `add_task`. That a lead is
        gone stands under "lead".
    """
    leads = _locked_leads(drafts)
    members = _members_among(drafts)
    known = _known_tasks(drafts)
    outcomes: list[Task | ValidationError] = []
    for draft in drafts:
        key = draft.key
        if known_task := known.get(key) if key else None:
            outcomes.append(known_task)
            continue
        outcome = _task_of(draft, leads, members)
        if key and isinstance(outcome, Task):
            known[key] = outcome
        outcomes.append(outcome)
    new = [each for each in outcomes if isinstance(each, Task) and each._state.adding]
    # What is asked for twice in one go is there twice, and made once.
    Task.objects.bulk_create(list(dict.fromkeys(new)))
    return outcomes


@transaction.atomic
def complete_task(task: Task, actor: User | None) -> Task:
    """Note that a task was done.

    Args:
        actor: by whom; None: a program.

    Raises:
        ValidationError: it was done or skipped before.
        Task.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    return _settle(task, Task.State.DONE, actor)


@transaction.atomic
def skip_task(task: Task, actor: User | None, reason: str = "") -> Task:
    """Note that a task will not be done.

    Raises:
        ValidationError: it was done or skipped before; under "reason": that is too long.
        Task.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    reason = _text(reason, "reason")
    if len(reason) > LONGEST_REASON:
        raise ValidationError({"reason": _("A reason holds up to 500 characters.")})
    return _settle(task, Task.State.SKIPPED, actor, reason=reason)


@transaction.atomic
def assign_task(task: Task, assignee: User | None) -> Task:
    """Give a task to a member of the team, or to whoever takes it.

    Raises:
        ValidationError: under "assignee": they are no active member; it was settled before.
        Task.DoesNotExist: it was deleted, or belongs to another tenant.
    """
    if assignee and not team_members().filter(pk=assignee.pk).exists():
        raise ValidationError({"assignee": _no_member(assignee)})
    task = _lock_open(task)
    if task.assignee_id != (assignee.pk if assignee else None):
        task.assignee = assignee
        task.save(update_fields=["assignee"])
    return task


def _settle(task: Task, state: str, actor: User | None, *, reason: str = "") -> Task:
    task = _lock_open(task)
    task.state, task.reason = state, reason
    task.settled_at, task.settled_by = timezone.now(), actor
    task.save(update_fields=["state", "reason", "settled_at", "settled_by"])
    return task


def _lock_open(task: Task) -> Task:
    locked: Task = Task.objects.select_for_update().get(pk=task.pk)
    if not locked.is_open:
        raise ValidationError(_("This task was done or skipped before."), code="settled")
    return locked


def _locked_leads(drafts: Sequence[TaskDraft]) -> dict[Any, Lead]:
    """The leads as they are in the database, locked by their ids."""
    rows = Lead.objects.select_for_update(no_key=True).order_by("pk")
    wanted = {draft.lead.pk for draft in drafts}
    return {lead.pk: lead for lead in rows.filter(pk__in=wanted)}


def _members_among(drafts: Sequence[TaskDraft]) -> set[int]:
    wanted = {draft.assignee.pk for draft in drafts if draft.assignee}
    if not wanted:
        return set()
    return set(team_members().filter(pk__in=wanted).values_list("pk", flat=True))


def _known_tasks(drafts: Sequence[TaskDraft]) -> dict[TaskKey, Task]:
    """The tasks that their sources have asked for before; nobody else asks while we hold them."""
    keys = [key for draft in drafts if (key := draft.key)]
    if not keys:
        return {}
    leads, sources, ids = (set(parts) for parts in zip(*keys, strict=True))
    rows = Task.objects.filter(lead__in=leads, source__in=sources, source_id__in=ids)
    return {(task.lead_id, task.source, task.source_id): task for task in rows}


def _task_of(draft: TaskDraft, leads: dict[Any, Lead], members: set[int]) -> Task | ValidationError:
    errors: dict[str, Any] = {}
    if draft.lead.pk not in leads:
        return ValidationError({"lead": _("The lead was deleted.")})
    if draft.kind not in Task.Kind.values:
        errors["kind"] = _("There is no such kind of task.")
    if draft.assignee and draft.assignee.pk not in members:
        errors["assignee"] = _no_member(draft.assignee)
    if wrong := wrong_moment(draft.due_at):
        errors["due_at"] = wrong
    errors |= _wrong_texts(draft)
    if errors:
        return ValidationError(errors)
    return Task(
        lead=leads[draft.lead.pk],
        title=draft.title.strip(),
        body=draft.body.strip(),
        kind=str(draft.kind),
        due_at=draft.due_at,
        assignee=draft.assignee,
        source=draft.source,
        source_id=draft.source_id,
    )


def _wrong_texts(draft: TaskDraft) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    title, body = draft.title.strip(), draft.body.strip()
    if not title:
        errors["title"] = _("Say what is to be done.")
    elif len(title) > LONGEST_TITLE:
        errors["title"] = _("A title holds up to 200 characters.")
    if len(body) > LONGEST_BODY:
        errors["body"] = _("A text holds up to 10,000 characters.")
    errors |= {
        name: _("Null characters are not allowed.")
        for name, text in (("title", title), ("body", body))
        if "\x00" in text
    }
    return errors


def _text(value: str, field: str) -> str:
    if "\x00" in value:
        raise ValidationError({field: _("Null characters are not allowed.")})
    return value.strip()


def _no_member(user: User) -> str:
    return _("%(name)s is no member of this team.") % {"name": user}
