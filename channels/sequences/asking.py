"""What entry rules and branches ask of a lead: what texts may say of it, and where it stands."""

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.variables import VARIABLES, is_known, values_for
from leads.models import Lead

# What is asked beside what texts may say: one of the pipeline's stages by its id, a text, a word.
OWN: dict[str, str | Promise] = {
    "stage": _("The lead's stage"),
    "source": _("Where the lead came from"),
    "tag": _("A tag of the lead"),
}
FIELDS: dict[str, str | Promise] = {
    **OWN,
    **{name: VARIABLES[name] for name in ("company", "title", "email", "phone", "name")},
}


def is_askable(name: str) -> bool:
    """Whether there is such a field; a custom field may always be one."""
    return name in FIELDS or is_known(name)


def standing_of(lead: Lead) -> Mapping[str, Sequence[str]]:
    """What is `OWN`, by name; a lead may have several tags."""
    return {"stage": [str(lead.stage_id)], "source": [lead.source], "tag": list(lead.tags)}


def values_of(lead: Lead) -> Mapping[str, str | Sequence[str]]:
    """All that conditions compare with, by name."""
    return {**values_for(lead), **standing_of(lead)}
