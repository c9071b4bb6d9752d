from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that models are asked meanwhile."""

    atomic = False

    dependencies = [("autopilot", "0002_add_up_expenses")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                condition=models.Q(action="check"),
                fields=["endpoint", "-id"],
                name="run_trying_endpoint",
            ),
        ),
    ]
