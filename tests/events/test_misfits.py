"""What is wrong with a payload is said in the reader's language."""

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from pydantic import AwareDatetime, Field, FiniteFloat, HttpUrl, PastDate

from events.misfits import SENTENCES, misfits
from events.models import Event
from events.payloads import payload_types
from salesflow.accounts.models import Tenant
from tests.events.factories import make_event, make_failed_event
from tests.staff import client_of, make_superuser

WRONG: list[Any] = [None, "", "x", "1e999", 1.5, 10**5000, True, [], [1], {}, {"x": 1}, -1]


class Colour(enum.Enum):
    RED, BLUE = "red", "blue"


class Everything(pydantic.BaseModel):
    """Whatever a payload class may ask for."""

    model_config = pydantic.ConfigDict(extra="forbid")

    number: Annotated[int, Field(gt=3, lt=5)] = 4
    amount: Annotated[Decimal, Field(max_digits=3, decimal_places=1, ge=0)] = Decimal(1)
    share: Annotated[FiniteFloat, Field(le=1, multiple_of=0.5)] = 1
    text: Annotated[str, Field(min_length=2, max_length=3, pattern="^a")] = "abc"
    yes: bool = True
    colour: Colour = Colour.RED
    shape: Literal["round", "square", "flat"] = "flat"
    day: date | None = None
    born: PastDate | None = None
    moment: AwareDatetime | datetime | None = None
    hour: time = time()
    span: timedelta = timedelta()
    key: UUID = UUID(int=0)
    link: HttpUrl | None = None
    names: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    both: tuple[int, int] = (1, 2)
    nothing: None = None
    inner: "Everything | None" = None


def errors_of(model: type[pydantic.BaseModel], values: dict[str, Any]) -> list[Any]:
    try:
        model.model_validate(values)
    except pydantic.ValidationError as error:
        return [*zip(error.errors(), misfits(error), strict=True)]
    return []


def provoked(model: type[pydantic.BaseModel]) -> list[Any]:
    """All that can be wrong with a model's fields, one after the other."""
    found = errors_of(model, {"colour_of_the_sea": "green"})
    for name in model.model_fields:
        for value in WRONG:
            found += errors_of(model, {name: value})
    return found


def test_all_that_payload_classes_refuse_has_a_sentence() -> None:
    found = [each for declared in payload_types().values() for each in provoked(declared)]
    assert {error["type"] for error, _misfit in found} <= SENTENCES.keys()
    assert len(found) > 500


def test_sentences_are_german_where_the_reader_is() -> None:
    wrong: list[dict[str, Any]] = [
        {"names": ["a", "b", "c"]},
        {"amount": "1.23"},
        {"amount": "12345"},
        {"born": "2999-01-01"},
        {"moment": "2026-01-01T00:00:00"},
        {"share": 0.3},
        {"text": "abcd"},
        {"text": "xyz"},
        {"colour_of_the_sea": "green"},
    ]
    with translation.override("de"):
        found = [*provoked(Everything), *(e for each in wrong for e in errors_of(Everything, each))]
    types = {error["type"] for error, _misfit in found}
    assert types <= SENTENCES.keys()
    assert len(types) > 30
    for error, (_path, sentence) in found:
        assert sentence != error["msg"]
        assert "should" not in sentence, sentence
        assert "%(" not in sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"number": 3}, "Input should be greater than 3"),
        ({"shape": "oval"}, "Input should be one of: 'round', 'square', 'flat'"),
        ({"names": []}, "Too few entries: 0, and at least 1 are needed"),
        ({"key": "x"}, "Input should be a valid UUID"),
    ],
)
def test_sentence_says_what_would_be_right(values: dict[str, Any], sentence: str) -> None:
    [(_error, (path, said))] = errors_of(Everything, values)
    assert (path, said) == (tuple(values), sentence)


def test_what_nobody_translated_is_said_in_the_librarys_words() -> None:
    error = pydantic.ValidationError.from_exception_data(
        "x", [{"type": "string_not_ascii", "loc": ("text",), "input": "ä"}]
    )
    assert "string_not_ascii" not in SENTENCES
    assert list(misfits(error)) == [(("text",), error.errors()[0]["msg"])]


def test_words_of_a_class_of_ones_own_are_left_as_they_are() -> None:
    class Even(pydantic.BaseModel):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def _even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("100 % even numbers, please")
            return value

    [(_error, (_path, said))] = errors_of(Even, {"number": 3})
    assert said == "100 % even numbers, please"


@pytest.mark.django_db
def test_german_console_says_it_in_german(tenant: Tenant) -> None:
    user = make_superuser()
    user.language = "de"
    user.save()
    client: Client = client_of(user)
    event = make_event()
    Event.unscoped.filter(pk=event.pk).update(payload={"thing_id": "x", "number": "many"})
    page = client.get(reverse("admin:events_event_change", args=[event.pk])).content.decode()
    assert "Hier muss eine ganze Zahl stehen" in page
    assert "Input should" not in page
    failed = make_failed_event()
    form = {"number": "many", "reason": "x", "handlers": "picky"}
    url = reverse("admin:events_event_correct", args=[failed.pk])
    page = client.post(url, form).content.decode()
    assert "Input should" not in page
