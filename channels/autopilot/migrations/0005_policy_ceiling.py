"""What a manager has said in a conversation is a ceiling for all others."""

from django.db import migrations, models

# What those who lead the team have said until now.
KEEP_WHAT_LEADERS_SAID = """
    UPDATE autopilot_policy AS policy SET ceiling = mode
    FROM accounts_membership AS member
    WHERE policy.conversation_id IS NOT NULL AND member.user_id = policy.changed_by_id
      AND member.tenant_id = policy.tenant_id AND member.role IN ('manager', 'admin')
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_mail_mentions"), ("autopilot", "0004_keep_who_edits_drafts")]

    operations = [
        migrations.AddField(
            model_name="policy",
            name="ceiling",
            field=models.CharField(
                blank=True,
                choices=[
                    ("off", "off"),
                    ("draft", "drafts only"),
                    ("approve", "with approval"),
                    ("auto", "by itself, within limits"),
                ],
                db_default="",
                default="",
                help_text=(
                    "What a manager has left to it in a conversation: others may leave it less."
                ),
                max_length=10,
                verbose_name="at most",
            ),
        ),
        migrations.RunSQL(KEEP_WHAT_LEADERS_SAID, migrations.RunSQL.noop),
    ]
