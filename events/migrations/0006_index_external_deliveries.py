from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

WAITS_FOR_CALL = Q(status="pending", tenant__isnull=False)


class Migration(migrations.Migration):
    """Concurrently, so that events are settled meanwhile."""

    atomic = False

    dependencies = [("events", "0005_lease_external_deliveries")]

    operations = [
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["handler", "next_attempt_at"],
                condition=WAITS_FOR_CALL,
                name="deliveries_to_call",
            ),
        ),
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["handler", "tenant", "next_attempt_at"],
                condition=WAITS_FOR_CALL,
                name="deliveries_to_call_by_tenant",
            ),
        ),
        AddIndexConcurrently(
            "delivery",
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status="running"),
                name="deliveries_leased",
            ),
        ),
    ]
