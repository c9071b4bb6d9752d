from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q

from events.models.event import IsFarFrom, MomentOf


class Migration(migrations.Migration):
    """Concurrently, so that events are published and settled meanwhile."""

    atomic = False

    dependencies = [("events", "0014_index_tallies_by_tenant")]

    operations = [
        # A request of an import has many events: the list wants the last of them.
        AddIndexConcurrently(
            "event",
            models.Index(
                "request_id", F("id").desc(), condition=~Q(request_id=""), name="events_of_request"
            ),
        ),
        RemoveIndexConcurrently("event", "events_by_request"),
        # The list of failed events by type: WHERE tenant_id = … AND type = … ORDER BY id DESC
        AddIndexConcurrently(
            "event",
            models.Index(
                "tenant",
                "type",
                F("id").desc(),
                condition=Q(status="failed"),
                name="events_failed_by_type",
            ),
        ),
        # … and by source: WHERE tenant_id = … AND source = … ORDER BY id DESC
        AddIndexConcurrently(
            "event",
            models.Index(
                "tenant",
                "source",
                F("id").desc(),
                condition=Q(status="failed"),
                name="events_failed_by_source",
            ),
        ),
        # Windows of time: WHERE id >= … AND id < … AND created_at < … ORDER BY id DESC LIMIT 1
        AddIndexConcurrently(
            "event",
            models.Index(
                fields=["id"],
                include=["created_at"],
                condition=Q(IsFarFrom(F("created_at"), MomentOf(F("id")))),
                name="events_strays",
            ),
        ),
        # The items of a replay as a list, and as CSV: WHERE replay_id = … AND id > … ORDER BY id
        AddIndexConcurrently(
            "replayitem", models.Index(fields=["replay", "id"], name="replay_items_in_order")
        ),
    ]
