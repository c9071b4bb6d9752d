from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that people move on meanwhile."""

    atomic = False

    dependencies = [("sequences", "0003_list_enrolments_by_tenant")]

    operations = [
        AddIndexConcurrently(
            "enrolment",
            models.Index(
                fields=["sequence", "-enrolled_at", "-id"], name="enrolment_of_sequence"
            ),
        ),
        AddIndexConcurrently(
            "enrolment",
            models.Index(
                condition=models.Q(waiting_for="person"),
                fields=["sequence"],
                name="enrolment_blocked_there",
            ),
        ),
    ]
