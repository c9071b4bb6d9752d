from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that models are asked meanwhile."""

    atomic = False

    dependencies = [("autopilot", "0005_policy_ceiling")]

    operations = [
        AddIndexConcurrently(
            "run", models.Index(fields=["tenant", "action", "-id"], name="run_by_action")
        ),
        AddIndexConcurrently(
            "run", models.Index(fields=["tenant", "outcome", "-id"], name="run_by_outcome")
        ),
        AddIndexConcurrently(
            "draft", models.Index(fields=["tenant", "created_at", "id"], name="draft_by_tenant")
        ),
    ]
