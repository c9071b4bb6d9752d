"""Pages of a sorted list by the last row seen: no offset and no count, so that a page costs the
same however deep it lies, and stays where it is while rows come and go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from django.core import signing
from django.db.models import F, Model, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

M = TypeVar("M", bound=Model)
Take = Callable[[str, bool], list[M]]


class BadKey(ValueError):
    """A page key that no page of this list has given out."""


@dataclass(frozen=True)
class Order:
    """A total order: by the first of some fields or annotations, and where that is the same by the
    next one; the last one is unique."""

    names: tuple[str, ...]
    descending: bool = False

    def apply(self, rows: QuerySet[M], *, reverse: bool = False) -> QuerySet[M]:
        """The rows in this order, or in the opposite one."""
        sign = "-" if self.descending != reverse else ""
        return rows.order_by(*(sign + name for name in self.names))

    def beyond(self, rows: QuerySet[M], key: str, *, reverse: bool = False) -> QuerySet[M]:
        """The rows after the one that gave `key`, or before it.

        Raises:
            BadKey: no such row in this order gave it.
        """
        values = self._read(key, rows)
        # One row comparison, which an index answers from the key on; an OR would not.
        lookup = TupleLessThan if self.descending != reverse else TupleGreaterThan
        return rows.filter(lookup(Tuple(*map(F, self.names)), values))

    def key_of(self, row: Model) -> str:
        """The key of the pages that begin after `row`, or end before it."""
        values = [str(getattr(row, name)) for name in self.names]
        return signing.dumps(values, salt=self._salt(type(row)), compress=True)

    def _read(self, key: str, rows: QuerySet[M]) -> list[Value]:
        fields = [_field(rows, name) for name in self.names]
        # Signed, so that what the database is asked for are values that it gave.
        try:
            texts = signing.loads(key, salt=self._salt(rows.model))
        except signing.BadSignature as error:
            raise BadKey(key) from error
        pairs = zip(texts, fields, strict=True)
        return [Value(field.to_python(text), output_field=field) for text, field in pairs]

    def _salt(self, model: type[Model]) -> str:
        """Keys of other rows, or in another order, have another one."""
        sign = "-" if self.descending else ""
        return f"salesflow.paging:{model._meta.label_lower}:{sign}{','.join(self.names)}"


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, and the keys of the pages around them; None at the ends."""

    rows: list[M]
    before: str | None = None
    after: str | None = None

    @classmethod
    def read(
        cls,
        rows: QuerySet[M],
        order: Order,
        *,
        size: int,
        after: str = "",
        before: str = "",
        ids_first: bool = False,
    ) -> Self:
        """Read one page of `rows`, in one query; the first where no key is given.

        Args:
            after: the key of the last row seen.
            before: the key of the first row seen, when going back.
            ids_first: find the ids and then their rows, where an index holds the order and all that
                narrows: it answers alone, so that the planner takes it and none that has the
                order, but looks up every row on its way to see whether it is meant.

        Raises:
            BadKey: no such row in this order gave the key.
        """

        def take(key: str, reverse: bool) -> list[M]:
            found = order.beyond(rows, key, reverse=reverse) if key else rows
            page = order.apply(found, reverse=reverse)[: size + 1]
            if ids_first:
                page = order.apply(rows.filter(pk__in=page.values("pk")), reverse=reverse)
            return list(page)

        return cls.taken(take, order.key_of, size=size, after=after, before=before)

    @classmethod
    def taken(
        cls,
        take: Take[M],
        key_of: Callable[[M], str],
        *,
        size: int,
        after: str = "",
        before: str = "",
    ) -> Self:
        """As `read`, where the rows are found in a way of their own.

        Args:
            take: the first `size + 1` rows beyond a key, from either end where it is empty; in the
                opposite order where its second argument is true.
        """
        if before:
            return cls._taken_back(take, key_of, size, before)
        page = take(after, False)
        return cls(
            page[:size],
            before=key_of(page[0]) if after and page else None,
            after=key_of(page[size - 1]) if len(page) > size else None,
        )

    @classmethod
    def read_or_first(
        cls, rows: QuerySet[M], order: Order, *, size: int, after: str = "", before: str = ""
    ) -> Self:
        """As `read`, but the first page where the key is unusable: nobody types keys."""
        try:
            return cls.read(rows, order, size=size, after=after, before=before)
        except BadKey:
            return cls.read(rows, order, size=size)

    @classmethod
    def _taken_back(cls, take: Take[M], key_of: Callable[[M], str], size: int, before: str) -> Self:
        page = take(before, True)
        if len(page) <= size:
            # The beginning: show it whole.
            return cls.taken(take, key_of, size=size)
        page = page[size - 1 :: -1]
        return cls(page, before=key_of(page[0]), after=key_of(page[-1]))


def _field(rows: QuerySet[M], name: str) -> Any:
    annotation = rows.query.annotations.get(name)
    return annotation.output_field if annotation else rows.model._meta.get_field(name)
