"""What entry rules and branches ask of a lead: what texts may say of it, and where it stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.templating import normal_name
from channels.variables import CUSTOM, VARIABLES, is_known, values_for
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
    """Whether there is such a field, however it is written; a custom field may always be one."""
    name = normal_name(name)
    return name in FIELDS or is_known(name)


def standing_of(lead: Lead) -> Mapping[str, Sequence[str]]:
    """What is `OWN`, by name, and the custom fields; a lead may have several tags, and a field
    several values."""
    own = {"stage": [str(lead.stage_id)], "source": [lead.source], "tag": list(lead.tags)}
    custom = {
        normal_name(CUSTOM + name): list(_said(value)) for name, value in lead.custom_fields.items()
    }
    return custom | own


def values_of(lead: Lead) -> Mapping[str, str | Sequence[str]]:
    """All that conditions compare with, by name."""
    return {**values_for(lead), **standing_of(lead)}


def _said(value: Any) -> Iterator[str]:
    """A custom field's values as they are compared: here a truth value says something."""
    if isinstance(value, list):
        for each in value:
            yield from _said(each)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, (str, int, float)):
        yield str(value)
