"""What people write about a failure, and what somebody else wrote there meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.failures.queries import Known, SeenFailure
from events.models import AuditLine

# The fields of the forms, by the names that `Known` has for them.
LABELS = {
    "owner": gettext_lazy("Owner"),
    "note": gettext_lazy("Note"),
    "ticket_url": gettext_lazy("Ticket"),
}
assert list(LABELS) == list(Known.__dataclass_fields__)


def written(request: HttpRequest) -> dict[str, str]:
    """What a form says; browsers end the lines of a text with two characters."""
    given = {name: request.POST[name] for name in LABELS if name in request.POST}
    return {name: text.replace("\r\n", "\n").strip() for name, text in given.items()}


def seen_versions(request: HttpRequest) -> dict[str, str]:
    """What stood in the fields of a form when its page was shown."""
    return {name: request.POST[f"seen_{name}"] for name in LABELS if f"seen_{name}" in request.POST}


@dataclass(frozen=True)
class Draft:
    """What was written and could not be kept.

    Attributes:
        conflicts: the fields that somebody else has changed; empty: it cannot be kept at all.
    """

    fields: dict[str, str]
    conflicts: Sequence[str] = ()

    @classmethod
    def of(cls, request: HttpRequest, conflicts: Sequence[str] = ()) -> "Draft":
        """What a form says."""
        return cls(written(request), conflicts)

    @property
    def status(self) -> int:
        """The page's status."""
        return HTTPStatus.CONFLICT if self.conflicts else HTTPStatus.BAD_REQUEST


@dataclass(frozen=True)
class Conflict:
    """What stands in a field now, and who has written it when, as far as the reader may know."""

    label: Any
    text: str
    who: str
    when: datetime | None


def conflict_of(name: str, failure: SeenFailure, lines: QuerySet[AuditLine]) -> Conflict:
    """What somebody else has done with a field.

    Args:
        lines: about the failure, the last first.
    """
    text = str(failure.owner or "") if name == "owner" else getattr(failure, name)
    line = lines.filter(details__fields__contains=[name]).first()
    if line is None:
        return Conflict(LABELS[name], text, _("Somebody"), None)
    return Conflict(
        LABELS[name], text, str(line.actor or _("Somebody with an API key")), line.created_at
    )
