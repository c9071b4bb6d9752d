from django.db import migrations

FIRST = [("email", "sandbox", "Sandbox"), ("whatsapp", "sandbox", "Sandbox"), ("linkedin", "linkedin", "LinkedIn")]


def connect(apps, schema_editor):
    """What tenants had so far without a row of its own; what waits to be sent goes on through it."""
    Account = apps.get_model("channels", "Account")
    Message = apps.get_model("channels", "Message")
    for tenant in apps.get_model("accounts", "Tenant").objects.all():
        for channel, transport, name in FIRST:
            account, _created = Account.objects.get_or_create(
                tenant=tenant, channel=channel, transport=transport,
                defaults={"name": name, "is_default": True},
            )
            waiting = Message.objects.filter(tenant=tenant, channel=channel, account=None)
            waiting.filter(status__in=["queued", "failed"]).update(account=account)


class Migration(migrations.Migration):

    dependencies = [
        ("channels", "0003_index_the_inbox"),
        ("accounts", "0001_initial"),
    ]

    operations = [migrations.RunPython(connect, migrations.RunPython.noop)]
