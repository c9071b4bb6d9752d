"""The forms of corrections: an input for each field of the payload class, a patch, the decision."""

import enum
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from events.corrections import Patch
from events.corrections.checking import ABSENT
from events.corrections.patches import MOST_CHANGES
from events.corrections.previewing import MASK
from events.payloads import Payload

# Types that people type as they are; the payload class reads them from a string.
PLAIN = (str, int, float, Decimal, UUID, datetime, date)
LONG_LINE = 60


# --- How a value is typed -----------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """How a field's value is typed: as it is, as one of a few words, or else as JSON.

    Attributes:
        is_plain: as it is, without quotes.
        words: what there is to choose from; empty where that is not limited.
        is_nullable: an empty input means null.
    """

    is_plain: bool = False
    words: tuple[str, ...] = ()
    is_nullable: bool = False

    @classmethod
    def of(cls, annotation: Any) -> "Typed":
        """How values of a type are typed."""
        members = list(_members(annotation))
        types = [each for each in members if each is not NoneType]
        is_nullable = len(types) < len(members)
        if len(types) != 1:
            return cls(is_nullable=is_nullable)
        words = tuple(_words(types[0]))
        return cls(types[0] in PLAIN or bool(words), words, is_nullable)


def _words(kind: Any) -> Iterable[str]:
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is Literal and all(isinstance(word, str) for word in get_args(kind)):
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and issubclass(kind, str):
        return [str(member.value) for member in kind]
    return []


def _members(annotation: Any) -> Iterator[Any]:
    """The types of a union; of anything else, itself."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from _members(each)
    else:
        yield annotation


def text_of(value: Any, *, is_plain: bool = False) -> str:
    """A JSON value as people read and type it; empty for one that is absent."""
    if value is ABSENT or (is_plain and value is None):
        return ""
    if is_plain and isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def read_json(text: str) -> Any:
    """The value that JSON text says.

    Raises:
        ValidationError: it is none; the message says where.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno, "what": error.msg}
        text = _("This is no JSON: %(what)s, line %(line)d, column %(column)d.") % place
        raise ValidationError(text) from None
    except RecursionError:
        raise ValidationError(_("This is nested too deeply.")) from None
    except ValueError:
        raise ValidationError(_("This holds a number that cannot be stored.")) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


class InputField(forms.CharField):
    """One value; `untouched` where the text is as it was."""

    untouched = object()

    def __init__(self, typed: Typed, before: Any, **options: Any) -> None:
        self.typed = typed
        text = text_of(before, is_plain=typed.is_plain)
        widget = _widget_for(typed, text)
        super().__init__(required=False, strip=False, initial=text, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        """The value as JSON.

        Raises:
            ValidationError: no JSON where that is asked for.
        """
        text = _lines(super().clean(value))
        if text == _lines(str(self.initial)):
            return self.untouched
        if not text and self.typed.is_nullable:
            return None
        if self.typed.words and text in ("true", "false"):
            return text == "true"
        return text if self.typed.is_plain else read_json(text)


def _lines(text: str) -> str:
    """Browsers end lines in their own way."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _widget_for(typed: Typed, text: str) -> Any:
    if typed.words:
        # What is there is offered, too, even if it is none of the words.
        offered = dict.fromkeys([*([text] if text or typed.is_nullable else []), *typed.words])
        empty = {"": "–"} if typed.is_nullable else {}
        choices = {**empty, **{word: word for word in offered if word}}
        return UnfoldAdminSelectWidget(choices=list(choices.items()))
    if typed.is_plain and len(text) <= LONG_LINE and text == _lines(text).replace("\n", ""):
        return UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    rows = min(20, 2 + text.count("\n"))
    return UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false"})


# --- One event ----------------------------------------------------------------------------------


class PayloadForm(forms.Form):
    """The payload's fields, but those that are fixed; what nobody touches stays as it was.

    Args:
        before: the payload as it is.
        data: as any form's.
    """

    def __init__(self, declared: type[Payload], before: dict[str, Any], data: Any = None) -> None:
        super().__init__(data, prefix="payload")
        self.declared, self.before = declared, before
        for name, info in declared.model_fields.items():
            if name not in declared.fixed_fields():
                typed, value = Typed.of(info.annotation), before.get(name, ABSENT)
                self.fields[name] = InputField(typed, value, label=name)

    @property
    def fixed(self) -> list[tuple[str, str]]:
        """The fields that are not edited: (name, value in words)."""
        masked = self.declared.masked_fields()
        names = [name for name in self.declared.model_fields if name not in self.fields]
        return [
            (
                name,
                MASK if name in masked else text_of(self.before.get(name, ABSENT), is_plain=True),
            )
            for name in names
        ]

    @property
    def left_out(self) -> list[str]:
        """What the payload says and its class does not know any more."""
        return [name for name in self.before if name not in self.declared.model_fields]

    def after(self) -> dict[str, Any]:
        """The corrected payload, of a form that is valid."""
        values = {name: self._value(name) for name in self.declared.model_fields}
        return {name: value for name, value in values.items() if value is not ABSENT}

    def _value(self, name: str) -> Any:
        given = self.cleaned_data.get(name, InputField.untouched)
        return self.before.get(name, ABSENT) if given is InputField.untouched else given

    def tell(self, invalid: ValidationError) -> None:
        """Say at each field what is wrong with it."""
        for path, messages in invalid.message_dict.items():
            name, _dot, inner = path.partition(".")
            place = name if name in self.fields else None
            where = inner if place else path
            for message in messages:
                self.add_error(place, f"{where}: {message}" if where else message)


@dataclass(frozen=True)
class Choice:
    """A handler that failed, and whether it gets the correction."""

    name: str
    is_external: bool
    is_chosen: bool


class DecisionForm(forms.Form):
    """Why, and for which of the handlers that failed."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("Stays on record: what was wrong with it."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    handlers = forms.MultipleChoiceField(
        label=gettext_lazy("Handlers"),
        error_messages={"required": gettext_lazy("Choose at least one handler.")},
    )

    def __init__(self, failed: dict[str, bool], data: Any = None) -> None:
        """Offer the handlers that failed: name → whether its effects are external."""
        super().__init__(data)
        self.failed = failed
        offered: Any = self.fields["handlers"]
        offered.choices = [(name, name) for name in failed]

    @property
    def choices(self) -> list[Choice]:
        """The handlers as they are ticked now; at first all but external ones."""
        chosen = self.data.getlist("handlers") if self.is_bound else None  # type: ignore[attr-defined]
        return [
            Choice(name, external, (not external) if chosen is None else name in chosen)
            for name, external in self.failed.items()
        ]

    def wants_external(self) -> bool:
        """Whether a handler with external effects is ticked."""
        return any(self.failed[name] for name in self.cleaned_data.get("handlers", []))


# --- Many events --------------------------------------------------------------------------------

# Empty rows that a form offers; who fills them all gets more with the preview.
ROWS = 4


class ChangeForm(forms.Form):
    """One change of a patch; an empty path is none."""

    operation = forms.ChoiceField(
        required=False,
        choices=[("set", gettext_lazy("Set")), ("remove", gettext_lazy("Remove"))],
        label=gettext_lazy("Change"),
        widget=UnfoldAdminSelectWidget,
    )
    path = forms.CharField(
        required=False,
        strip=True,
        label=gettext_lazy("Path"),
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "/address/city", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    value = forms.CharField(
        required=False,
        strip=True,
        label=gettext_lazy("Value, as JSON"),
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": '"Berlin"', "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def clean(self) -> dict[str, Any]:
        """See to it that a value is there where one is set, and nowhere else."""
        given = self.cleaned_data
        if not given.get("path"):
            if given.get("value"):
                self.add_error("path", _("Write a path such as /address/city."))
            return given
        if given.get("operation") == "remove":
            if given.get("value"):
                self.add_error("value", _("What is removed needs no value."))
            return given
        try:
            given["json"] = read_json(given.get("value", ""))
        except ValidationError as error:
            self.add_error("value", error)
        return given

    def change(self) -> dict[str, Any] | None:
        """The change as a patch holds it; None for an empty row."""
        given = self.cleaned_data
        if not given["path"]:
            return None
        kept = {"op": given["operation"], "path": given["path"]}
        return kept | ({"value": given["json"]} if given["operation"] == "set" else {})


class PatchForm:
    """The rows of a patch: those that are filled, and some empty ones."""

    most = MOST_CHANGES

    def __init__(self, data: Any = None) -> None:
        given = data or {}
        filled = [n + 1 for n in range(MOST_CHANGES) if given.get(f"change-{n}-path")]
        number = min(MOST_CHANGES, max(filled, default=0) + ROWS)
        self.rows = [ChangeForm(data, prefix=f"change-{n}") for n in range(number)]
        self.problem = ""

    def patch(self) -> Patch | None:
        """The patch, if it is one; else the rows and `problem` say what is wrong."""
        valid = [row.is_valid() for row in self.rows]
        if not all(valid):
            return None
        changes = [(row, change) for row in self.rows if (change := row.change())]
        try:
            return Patch.from_json([change for _row, change in changes])
        except ValidationError as invalid:
            for path, [message, *_more] in invalid.message_dict.items():
                _patch, _dot, place = path.partition(".")
                number, _dot, name = place.partition(".")
                if number:
                    changes[int(number)][0].add_error(name if name != "op" else None, message)
                else:
                    self.problem = message
        return None
