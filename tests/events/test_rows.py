"""What the driver writes and reads of the backbone's rows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from channels.models import Message, MessageStatus
from events.rows import copy_models, driver_cursor
from tests.channels.factories import make_message, make_reachable_lead


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


@pytest.mark.parametrize(
    "fields",
    [
        {"body": "Grüße\x1b 😀", "subject": "", "sent_at": datetime(2026, 3, 1, 12, tzinfo=UTC)},
        {"status": MessageStatus.FAILED, "details": {"was": [1, None]}, "cc": ["a@example.com"]},
        {"subject": 4711, "tracks": 1},
        {"author_id": None, "in_reply_to_id": None, "not_after": None},
    ],
    ids=["plain", "enumerations and JSON", "of other types", "nothing"],
)
@pytest.mark.usefixtures("tenant")
def test_copied_rows_are_as_django_would_have_inserted_them(fields: dict[str, Any]) -> None:
    model = make_message(make_reachable_lead())
    given = {each.attname: getattr(model, each.attname) for each in Message._meta.concrete_fields}
    rows = [Message(**given | fields | {"id": None}) for _row in range(4)]
    for row in rows:
        row.pk = Message._meta.pk.get_default()
    copy_models(rows[:2])
    super(type(Message.objects.all()), Message.objects.all()).bulk_create(rows[2:])
    found = Message.objects.in_bulk([row.pk for row in rows])
    told = [{**found[row.pk].__dict__, "id": "", "_state": "", "_seen": ""} for row in rows]
    assert told[0] == told[1] == told[2] == told[3]


@pytest.mark.usefixtures("tenant")
def test_moment_without_a_zone_is_no_moment_in_a_copy_either() -> None:
    row, other = (make_message(make_reachable_lead()) for _row in range(2))
    Message.objects.filter(pk__in=[row.pk, other.pk]).delete()
    row.sent_at = datetime(2026, 3, 1, 12)  # noqa: DTZ001
    with pytest.raises(RuntimeWarning, match="naive datetime"):
        copy_models([row, other])
