import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('analytics', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ServiceTime',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('channel', models.CharField(max_length=20)),
                ('step', models.CharField(choices=[('stored', 'received → stored'), ('sent', 'queued → sent'), ('delivered', 'sent → delivered')], max_length=10)),
                ('duration_ms', models.BigIntegerField()),
                ('answer_ms', models.BigIntegerField(help_text="Of a sent answer: since the lead's first unanswered message.", null=True)),
                ('occurred_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'service time',
                'verbose_name_plural': 'service times',
                'indexes': [models.Index(fields=['tenant', 'occurred_at'], name='service_times_by_time')],
            },
        ),
    ]
