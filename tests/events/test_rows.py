"""What the driver writes and reads of the backbone's rows."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from events.rows import driver_cursor


def nested(levels: int) -> Any:
    value: Any = "innermost"
    for _level in range(levels):
        value = [value]
    return value


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        {"text": "Grüße \U0001f600 <script>", "empty": "", "right to left": "\u202eabc"},
        {"numbers": [0, -1, 10**30, 1.5, 1e-7], "others": [None, True, False, [], {}]},
        nested(32),
        nested(250),  # deeper than the quick reader goes
    ],
    ids=["text", "numbers", "nested", "deeply nested"],
)
def test_json_comes_back_as_it_was_written(value: Any) -> None:
    with driver_cursor() as cursor:
        cursor.execute("SELECT %s", [Jsonb(value)])
        assert cursor.fetchone() == (value,)
