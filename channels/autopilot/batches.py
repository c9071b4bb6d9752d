"""Approving several drafts at once: the plain ones, each as it was read and checked by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from channels.autopilot.deciding import Outdated, approve_draft
from channels.autopilot.models import Draft
from salesflow.accounts.models import User

# So many stand on a page: more of them nobody reads before they approve.
MOST_AT_ONCE = 10


@dataclass(frozen=True)
class Seen:
    """A draft as somebody has read it."""

    draft_id: UUID
    revision: int


@dataclass(frozen=True)
class Refused:
    """A draft that was not approved, and why."""

    who: str
    reason: str


def approve_drafts(seen: Sequence[Seen], *, actor: User) -> tuple[int, list[Refused]]:
    """Approve each by itself, with all that is asked of a single one; what refuses one of them
    keeps back no other.

    Only drafts without a flag are taken: whatever has one is looked at by itself.

    Returns:
        How many were approved, and which were not.
    """
    refused = [refusal for each in seen if (refusal := _why_not(each, actor))]
    return len(seen) - len(refused), refused


def _why_not(seen: Seen, actor: User) -> Refused | None:
    draft = Draft.objects.select_related("lead").filter(pk=seen.draft_id).first()
    if draft is None:
        return Refused("", _("There is no such draft."))
    if draft.flags:
        return Refused(draft.lead.name, _("Look at this one by itself."))
    try:
        approve_draft(draft.pk, revision=seen.revision, actor=actor)
    except Outdated as outdated:
        return Refused(draft.lead.name, str(outdated.reason))
    except ValidationError as error:
        return Refused(draft.lead.name, " ".join(error.messages))
    except Draft.DoesNotExist:
        return Refused(draft.lead.name, _("There is no such draft."))
    return None
