"""Set-based writes of the backbone's rows: one statement, whatever the number of rows.

Django's bulk_create prepares every value of every row by itself, which takes longer than
PostgreSQL needs for all the rest of a settling; arrays that PostgreSQL unnests do not.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models
from psycopg import sql
from psycopg.types.json import Jsonb


def insert_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Insert `rows`; columns that are not among `fields` get their database defaults.

    COPY, since it takes half the time of an INSERT, also of a single row.

    Args:
        rows: of one model, in the order in which sequences count them.
        fields: names of the model's concrete fields.
    """
    if not rows:
        return
    model = type(rows[0])
    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
        table=sql.Identifier(model._meta.db_table),
        columns=sql.SQL(", ").join(_column(model, name) for name in fields),
    )
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for values in zip(*_columns(rows, fields), strict=True):
            copy.write_row(values)


def upsert_rows(
    rows: Sequence[models.Model], key: Sequence[str], fields: Sequence[str]
) -> dict[tuple[Any, ...], Any]:
    """Insert `rows`, or update those whose `key` is there already.

    Args:
        key: names of the fields of a unique constraint.
        fields: names of the other fields to write.

    Returns:
        Key → primary key.
    """
    if not rows:
        return {}
    model = type(rows[0])
    columns = [_column(model, name) for name in key]
    updates = [sql.SQL("{0} = excluded.{0}").format(_column(model, name)) for name in fields]
    statement = sql.SQL("{insert} ON CONFLICT ({key}) DO UPDATE SET {updates} RETURNING {returned}")
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(
                insert=_insert(model, [*key, *fields]),
                key=sql.SQL(", ").join(columns),
                updates=sql.SQL(", ").join(updates),
                returned=sql.SQL(", ").join([_column(model, "pk"), *columns]),
            ),
            _columns(rows, [*key, *fields]),
        )
        return {tuple(values): pk for pk, *values in cursor.fetchall()}


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of rows that are there already."""
    if not rows:
        return
    model = type(rows[0])
    assignments = [sql.SQL("{0} = given.{0}").format(_column(model, name)) for name in fields]
    statement = sql.SQL(
        "UPDATE {table} SET {assignments} FROM {given} WHERE {table}.{key} = given.{key}"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(
                table=sql.Identifier(model._meta.db_table),
                assignments=sql.SQL(", ").join(assignments),
                given=_unnested(model, ["pk", *fields]),
                key=_column(model, "pk"),
            ),
            _columns(rows, ["pk", *fields]),
        )


def _insert(model: type[models.Model], fields: Iterable[str]) -> sql.Composed:
    names = list(fields)
    return sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {given}").format(
        table=sql.Identifier(model._meta.db_table),
        columns=sql.SQL(", ").join(_column(model, name) for name in names),
        given=_unnested(model, names),
    )


def _unnested(model: type[models.Model], names: Sequence[str]) -> sql.Composed:
    arrays = [sql.SQL("%s::{}[]").format(sql.SQL(_type(model, name))) for name in names]
    return sql.SQL("unnest({arrays}) AS given ({columns})").format(
        arrays=sql.SQL(", ").join(arrays),
        columns=sql.SQL(", ").join(_column(model, name) for name in names),
    )


def _column(model: type[models.Model], name: str) -> sql.Identifier:
    return sql.Identifier(_field(model, name).column)


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _type(model: type[models.Model], name: str) -> Any:
    """The column's type; text for the lengths of varchar, which the column checks itself."""
    return _field(model, name).rel_db_type(connection).split("(")[0]


def _columns(rows: Sequence[models.Model], fields: Iterable[str]) -> list[list[Any]]:
    return [_values(rows, _field(type(rows[0]), name)) for name in fields]


def _values(rows: Sequence[models.Model], field: Any) -> list[Any]:
    values = [getattr(row, field.attname) for row in rows]
    if isinstance(field, models.JSONField):
        return [Jsonb(value) for value in values]
    # An enumeration's members are strings of a class that psycopg does not know.
    return [str(value) for value in values] if isinstance(field, models.CharField) else values
