from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Concurrently, so that consent is recorded meanwhile."""

    atomic = False

    dependencies = [("channels", "0006_try_accounts")]

    operations = [
        AddIndexConcurrently(
            "consentrecord", models.Index(fields=["tenant", "-id"], name="consent_by_tenant")
        ),
        AddIndexConcurrently(
            "addressstanding", models.Index(fields=["tenant", "-id"], name="standing_by_tenant")
        ),
    ]
