"""Set-based reads and writes of the backbone's rows: one statement, whatever the number of rows.

Django prepares every value of every row by itself, which takes longer than PostgreSQL needs for
all the rest of a settling. So these go to the driver: COPY for inserts, arrays that PostgreSQL
unnests for updates, prepared statements, binary results, all on Django's connection and in its
transaction.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import Combinable
from psycopg import sql
from psycopg.pq import Format
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads
from pydantic_core import from_json, to_json

Row = tuple[Any, ...]
# What fields of these kinds hold goes to the driver unchanged, where it is of this very type.
AS_THEY_ARE: dict[type[models.Field[Any, Any]], type] = {
    models.BooleanField: bool,
    models.CharField: str,
    models.DateTimeField: datetime,
    models.IntegerField: int,
    models.PositiveSmallIntegerField: int,
    models.TextField: str,
    models.UUIDField: UUID,
}
SIZE = re.compile(r"\([\d, ]+\)")


def _loads(text: str | bytes) -> Any:
    try:
        return from_json(text)
    except ValueError:  # it goes no deeper than 200 levels
        return json.loads(text)


# Of all the driver's cursors; Django's fields have their own. They take a sixth of the time of the
# standard library's.
set_json_dumps(to_json)
set_json_loads(_loads)


@contextmanager
def driver_cursor() -> Iterator[psycopg.Cursor[Row]]:
    """A cursor of the driver's own kind on Django's connection; errors are Django's."""
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    assert database.connection is not None
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        cursor.format = Format.BINARY
        yield cursor


def fetch_rows(statement: str | bytes, values: Mapping[str, Any]) -> list[Row]:
    """All rows of a query, which PostgreSQL plans once a connection."""
    with driver_cursor() as cursor:
        return cursor.execute(statement, values, prepare=True).fetchall()


def execute(statement: str | bytes, values: Mapping[str, Any] | Sequence[Any]) -> int:
    """Run a statement, planned once a connection; returns how many rows it touched."""
    with driver_cursor() as cursor:
        return cursor.execute(statement, values, prepare=True).rowcount


def write_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows given as plain tuples; other columns get their database defaults.

    COPY takes half the time of an INSERT from arrays; a prepared INSERT of one row takes less.

    Args:
        fields: names of the model's concrete fields, in the order of the tuples' values.
        rows: in the order in which sequences count them.
    """
    if len(rows) == 1:
        # COPY knows the columns' types; here a dictionary has to say that it is JSON.
        values = [Jsonb(value) if isinstance(value, dict) else value for value in rows[0]]
        execute(_insert(model, tuple(fields)), values)
    elif rows:
        with driver_cursor() as cursor, cursor.copy(_copy(model, tuple(fields))) as copy:
            copy.set_types(_types(model, tuple(fields)))
            for row in rows:
                copy.write_row(row)


def insert_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Insert rows of one model; see `write_rows`."""
    if rows:
        write_rows(type(rows[0]), fields, list(zip(*_columns(rows, fields), strict=True)))


def may_be_copied(rows: Sequence[models.Model]) -> bool:
    """Whether `copy_models` can insert them: all values are known, none is the database's."""
    return bool(rows) and all(_is_known(rows, field) for field in rows[0]._meta.concrete_fields)


def _is_known(rows: Sequence[models.Model], field: Any) -> bool:
    values = [row.__dict__.get(field.attname) for row in rows]
    if field.generated or (field.primary_key and None in values):
        return False
    return not any(issubclass(kind, Combinable) for kind in set(map(type, values)))


def copy_models(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model as Django's bulk_create does, by COPY."""
    fields = rows[0]._meta.concrete_fields
    columns = [_prepared(rows, field) for field in fields]
    write_rows(type(rows[0]), [field.attname for field in fields], list(zip(*columns, strict=True)))
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _prepared(rows: Sequence[models.Model], field: Any) -> list[Any]:
    values = [row.__dict__.get(field.attname) for row in rows]
    if _goes_as_it_is(field, values):
        return values
    # Not Django's `connection`, which looks for the database anew at each of its attributes.
    database = connections[DEFAULT_DB_ALIAS]
    pre_save, prepare = field.pre_save, field.get_db_prep_save
    return [prepare(pre_save(row, True), database) for row in rows]


def _goes_as_it_is(field: Any, values: Sequence[Any]) -> bool:
    """Whether Django would give the driver these very values; asking it for each takes longer than
    all the rest."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return False
    own = AS_THEY_ARE.get(type(target))
    if own is None or not {*map(type, values)} <= {own, NoneType}:
        return False
    return own is not datetime or all(each is None or each.tzinfo for each in values)


def upsert_rows(
    rows: Sequence[models.Model], key: Sequence[str], fields: Sequence[str]
) -> dict[Row, Any]:
    """Insert `rows`, or update those whose `key` is there already.

    Args:
        key: names of the fields of a unique constraint.
        fields: names of the other fields to write.

    Returns:
        Key → primary key.
    """
    if not rows:
        return {}
    names = (*key, *fields)
    statement = _upsert(type(rows[0]), tuple(key), tuple(fields))
    with driver_cursor() as cursor:
        cursor.execute(statement, _columns(rows, names), prepare=True)
        return {tuple(values): pk for pk, *values in cursor.fetchall()}


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of rows that are there already."""
    if not rows:
        return
    execute(_update(type(rows[0]), tuple(fields)), _columns(rows, ["pk", *fields]))


# --- Statements ---------------------------------------------------------------------------------


@cache
def _copy(model: type[models.Model], fields: tuple[str, ...]) -> bytes:
    return _statement(
        "COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)", model, columns=_names(model, fields)
    )


@cache
def _insert(model: type[models.Model], fields: tuple[str, ...]) -> bytes:
    values = sql.SQL(", ").join(sql.Placeholder() for _ in fields)
    return _statement(
        "INSERT INTO {table} ({columns}) VALUES ({values})",
        model,
        columns=_names(model, fields),
        values=values,
    )


@cache
def _upsert(model: type[models.Model], key: tuple[str, ...], fields: tuple[str, ...]) -> bytes:
    updates = [sql.SQL("{0} = excluded.{0}").format(_column(model, name)) for name in fields]
    return _statement(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {given} "
        "ON CONFLICT ({key}) DO UPDATE SET {updates} RETURNING {returned}",
        model,
        columns=_names(model, (*key, *fields)),
        given=_unnested(model, (*key, *fields)),
        key=_names(model, key),
        updates=sql.SQL(", ").join(updates),
        returned=_names(model, ("pk", *key)),
    )


@cache
def _update(model: type[models.Model], fields: tuple[str, ...]) -> bytes:
    assignments = [sql.SQL("{0} = given.{0}").format(_column(model, name)) for name in fields]
    return _statement(
        "UPDATE {table} SET {assignments} FROM {given} WHERE {table}.{key} = given.{key}",
        model,
        assignments=sql.SQL(", ").join(assignments),
        given=_unnested(model, ("pk", *fields)),
        key=_column(model, "pk"),
    )


def _statement(text: LiteralString, model: type[models.Model], **parts: sql.Composable) -> bytes:
    # As bytes: the driver keeps what it made of those, but composes anew what is composed.
    return sql.SQL(text).format(table=sql.Identifier(model._meta.db_table), **parts).as_bytes()


def _unnested(model: type[models.Model], names: Sequence[str]) -> sql.Composed:
    arrays = [sql.SQL(_array(_type(model, name))) for name in names]
    return sql.SQL("unnest({arrays}) AS given ({columns})").format(
        arrays=sql.SQL(", ").join(arrays), columns=_names(model, names)
    )


def _array(column_type: str) -> LiteralString:
    # The driver writes a list of UUIDs in binary six times faster than as text.
    return "%b::uuid[]" if column_type == "uuid" else f"%s::{column_type}[]"


# --- Columns ------------------------------------------------------------------------------------


def _names(model: type[models.Model], fields: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(_column(model, name) for name in fields)


@cache
def _types(model: type[models.Model], fields: tuple[str, ...]) -> list[str]:
    return [_type(model, name) for name in fields]


def _column(model: type[models.Model], name: str) -> sql.Identifier:
    return sql.Identifier(_field(model, name).column)


@cache
def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _type(model: type[models.Model], name: str) -> Any:
    """The column's type without the lengths, which the column checks itself."""
    return SIZE.sub("", _field(model, name).rel_db_type(connection))


def _columns(rows: Sequence[models.Model], fields: Iterable[str]) -> list[list[Any]]:
    return [_values(rows, _field(type(rows[0]), name)) for name in fields]


def _values(rows: Sequence[models.Model], field: Any) -> list[Any]:
    values = [getattr(row, field.attname) for row in rows]
    if isinstance(field, models.JSONField):
        return [Jsonb(value) for value in values]
    # An enumeration's members are strings of a class that psycopg does not know.
    return [str(value) for value in values] if isinstance(field, models.CharField) else values
