"""System checks of the leads app."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

EXTENSIONS = ("pg_trgm", "btree_gin")


@register(Tags.database)
def check_search_extensions(
    databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """The server offers the extensions that the search index is made with."""
    return [
        Error(
            f"PostgreSQL offers no extension “{extension}”, which the lead search needs.",
            hint="Install PostgreSQL's contrib package (Debian: postgresql-contrib).",
            id="leads.E001",
        )
        for alias in databases or []
        for extension in _missing_extensions(alias)
    ]


def _missing_extensions(alias: str) -> list[str]:
    if connections[alias].vendor != "postgresql":
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_available_extensions WHERE name = ANY(%s)", [list(EXTENSIONS)]
        )
        offered = {row[0] for row in cursor.fetchall()}
    return [extension for extension in EXTENSIONS if extension not in offered]
