"""A transport's settings as the fields of a form, and what is wrong with them at those fields."""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pydantic
from annotated_types import Ge, Le, MaxLen
from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from channels.transports import AccountSettings

# A text that may be longer than this is written in a box.
LONGEST_LINE = 300
KEPT = _("A value is stored. Leave this empty to keep it.")
# In front of the name of a stored secret: the box that takes it away.
FORGET = "forget_"


class SecretField(forms.CharField):
    """A secret: it is typed in and never shown again; what is stored stays when it is empty."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
        super().__init__(widget=widget, **kwargs)


def form_fields(kind: type[AccountSettings], stored: Mapping[str, Any]) -> dict[str, forms.Field]:
    """The fields for the settings of a transport.

    Args:
        stored: the secrets that are known; nobody has to type them again.
    """
    fields: dict[str, forms.Field] = {}
    for name, info in kind.model_fields.items():
        is_stored = bool(stored.get(name))
        fields[name] = _form_field(info, is_stored=is_stored)
        if is_stored and not info.is_required():
            label = format_lazy(_("Forget: {name}"), name=info.title or name)
            fields[FORGET + name] = forms.BooleanField(label=label, required=False)
    return fields


def initial_values(kind: type[AccountSettings], known: Mapping[str, Any]) -> dict[str, Any]:
    """What a form begins with; never a secret."""
    plain = {name: info for name, info in kind.model_fields.items() if not _is_secret(info)}
    return {name: known.get(name, _default(info)) for name, info in plain.items()}


def read_settings(
    kind: type[AccountSettings], given: Mapping[str, Any], stored: Mapping[str, Any]
) -> AccountSettings:
    """The settings that somebody typed, with the stored secrets where they typed none.

    Raises:
        ValidationError: by field; what concerns several under `NON_FIELD_ERRORS`.
    """
    values = {name: given[name] for name in kind.model_fields if given.get(name) not in (None, "")}
    kept = kind.model_fields.keys() - {name for name in stored if given.get(FORGET + name)}
    secrets = {name: value for name, value in stored.items() if name in kept}
    try:
        return kind.model_validate({**secrets, **values})
    except pydantic.ValidationError as error:
        # The original names what was typed, secrets included.
        raise _in_words(error) from None


def _form_field(info: FieldInfo, *, is_stored: bool) -> forms.Field:
    kind, is_optional = _kind_of(info)
    told: dict[str, Any] = {
        "label": info.title or "",
        "help_text": info.description or "",
        "required": info.is_required() and not is_optional,
    }
    if kind is SecretStr:
        kept = {"required": False, "help_text": KEPT} if is_stored else {}
        return SecretField(**told | kept)
    if kind is bool:
        return forms.BooleanField(**told | {"required": False})
    if kind is int:
        limits: dict[str, Any] = {
            "min_value": _limit(info, Ge, "ge"),
            "max_value": _limit(info, Le, "le"),
        }
        return forms.IntegerField(**told, **limits)
    if kind is date:
        return forms.DateField(**told, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))
    if choices := _choices(kind):
        return forms.ChoiceField(**told, choices=choices)
    return _text_field(told, _limit(info, MaxLen, "max_length"))


def _text_field(told: dict[str, Any], longest: int | None) -> forms.Field:
    attrs = {"autocomplete": "off", "spellcheck": "false"}
    if longest and longest > LONGEST_LINE:
        widget: forms.Widget = forms.Textarea({"rows": 3})
    else:
        widget = forms.TextInput(attrs)
    return forms.CharField(**told, max_length=longest, widget=widget)


def _kind_of(info: FieldInfo) -> tuple[Any, bool]:
    """The type without “or None”, and whether None is one of its values."""
    kinds = get_args(info.annotation) if _is_union(info.annotation) else (info.annotation,)
    real = [kind for kind in kinds if kind is not NoneType]
    return real[0], len(real) < len(kinds)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _is_secret(info: FieldInfo) -> bool:
    return _kind_of(info)[0] is SecretStr


def _choices(kind: Any) -> list[tuple[str, Any]]:
    if get_origin(kind) is Literal:
        return [(str(value), str(value)) for value in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [(str(each.value), getattr(each, "label", each.value)) for each in kind]
    return []


def _limit(info: FieldInfo, constraint: type, name: str) -> int | None:
    found = [getattr(each, name) for each in info.metadata if isinstance(each, constraint)]
    return found[0] if found else None


def _default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True, validated_data={})
    return None if info.is_required() else default


def _in_words(error: pydantic.ValidationError) -> ValidationError:
    problems: dict[str, list[Any]] = {}
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else "__all__"
        problems.setdefault(name, []).append(_problem_in_words(problem))
    return ValidationError(problems)


def _problem_in_words(problem: Mapping[str, Any]) -> str | Promise:
    if problem["type"] == "missing":
        return _("This field is required.")
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return _("This value cannot be used.")
