"""Pages of a sorted list by the last row seen: no offset and no count, so that a page costs the
same however deep it lies, and stays where it is while rows come and go."""

from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import F, Model, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

M = TypeVar("M", bound=Model)
SALT = "leads.paging"


class BadKey(ValueError):
    """A page key that no page of this list has given out."""


@dataclass(frozen=True)
class Order:
    """A total order: by a field or annotation, and where that is the same by a unique one."""

    field: str
    tie_breaker: str = "id"
    descending: bool = False

    def apply(self, rows: QuerySet[M], *, reverse: bool = False) -> QuerySet[M]:
        """The rows in this order, or in the opposite one."""
        sign = "-" if self.descending != reverse else ""
        return rows.order_by(sign + self.field, sign + self.tie_breaker)

    def beyond(self, rows: QuerySet[M], key: str, *, reverse: bool = False) -> QuerySet[M]:
        """The rows after the one that gave `key`, or before it.

        Raises:
            BadKey: no row of this list gave it.
        """
        names = (self.field, self.tie_breaker)
        fields = [_field(rows, name) for name in names]
        values = [
            Value(value, output_field=field)
            for value, field in zip(_read(key, fields), fields, strict=True)
        ]
        # One row comparison, which an index answers from the key on; an OR would not.
        lookup = TupleLessThan if self.descending != reverse else TupleGreaterThan
        return rows.filter(lookup(Tuple(*map(F, names)), values))

    def key_of(self, row: Model) -> str:
        """The key of the pages that begin after `row`, or end before it."""
        values = [str(getattr(row, name)) for name in (self.field, self.tie_breaker)]
        return signing.dumps(values, salt=SALT)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, and the keys of the pages around them; None at the ends."""

    rows: list[M]
    before: str | None = None
    after: str | None = None

    @classmethod
    def read(
        cls, rows: QuerySet[M], order: Order, *, size: int, after: str = "", before: str = ""
    ) -> Self:
        """Read one page of `rows`, in one query; the first where a key is missing or unusable.

        Args:
            after: the key of the last row seen.
            before: the key of the first row seen, when going back.
        """
        try:
            if before:
                return cls._read_back(rows, order, size, before)
            found = order.beyond(rows, after) if after else rows
        except BadKey:
            found, after = rows, ""
        page = list(order.apply(found)[: size + 1])
        return cls(
            page[:size],
            before=order.key_of(page[0]) if after and page else None,
            after=order.key_of(page[size - 1]) if len(page) > size else None,
        )

    @classmethod
    def _read_back(cls, rows: QuerySet[M], order: Order, size: int, before: str) -> Self:
        backwards = order.apply(order.beyond(rows, before, reverse=True), reverse=True)
        page = list(backwards[: size + 1])
        if len(page) <= size:
            # The beginning: show it whole.
            return cls.read(rows, order, size=size)
        page = page[size - 1 :: -1]
        return cls(page, before=order.key_of(page[0]), after=order.key_of(page[-1]))


def _field(rows: QuerySet[M], name: str) -> Any:
    annotation = rows.query.annotations.get(name)
    return annotation.output_field if annotation else rows.model._meta.get_field(name)


def _read(key: str, fields: list[Any]) -> list[Any]:
    # Signed, so that what the database is asked for are values that it gave.
    try:
        texts = signing.loads(key, salt=SALT)
        return [field.to_python(text) for field, text in zip(fields, texts, strict=True)]
    except (signing.BadSignature, ValidationError) as error:
        raise BadKey(key) from error
