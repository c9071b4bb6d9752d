import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import salesflow.accounts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('events', '0009_index_what_fails'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='FailureGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.UUIDField(verbose_name='fingerprint')),
                ('handler', models.CharField(max_length=100, verbose_name='handler')),
                ('error_type', models.CharField(max_length=200, verbose_name='exception')),
                ('frame', models.CharField(blank=True, help_text="The project's innermost function.", max_length=300, verbose_name='where')),
                ('message', models.CharField(blank=True, help_text='With numbers and ids masked.', max_length=500, verbose_name='message')),
                ('traceback', models.TextField(blank=True, verbose_name='traceback')),
                ('occurrences', models.BigIntegerField(default=0, verbose_name='occurrences')),
                ('first_seen_at', models.DateTimeField(verbose_name='first seen')),
                ('last_seen_at', models.DateTimeField(verbose_name='last seen')),
                ('last_event_id', models.UUIDField(null=True, verbose_name='last event')),
                ('state', models.CharField(choices=[('open', 'Open'), ('acknowledged', 'Acknowledged'), ('muted', 'Muted'), ('resolved', 'Resolved')], default='open', max_length=12, verbose_name='state')),
                ('state_changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='since')),
                ('reopened_at', models.DateTimeField(null=True, verbose_name='came back')),
                ('note', models.TextField(blank=True, verbose_name='note')),
                ('ticket_url', models.URLField(blank=True, verbose_name='ticket')),
                ('owner', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'failure group',
                'verbose_name_plural': 'failure groups',
                'db_table': 'failure_groups',
                'permissions': [('triage_failuregroup', 'Can triage failure groups')],
            },
        ),
        migrations.CreateModel(
            name='FailureCount',
            fields=[
                ('pk', models.CompositePrimaryKey('group_id', 'bucket_at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('bucket_at', models.DateTimeField(verbose_name='from')),
                ('occurrences', models.PositiveIntegerField(default=0, verbose_name='occurrences')),
                ('group', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='counts', to='events.failuregroup')),
            ],
            options={
                'db_table': 'failure_counts',
            },
        ),
        migrations.CreateModel(
            name='HandlerPause',
            fields=[
                ('handler', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='handler')),
                ('reason', models.TextField(verbose_name='reason')),
                ('paused_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='since')),
                ('actor', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'paused handler',
                'verbose_name_plural': 'paused handlers',
                'db_table': 'handler_pauses',
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('pk', models.CompositePrimaryKey('span', 'starts_at', 'kind', 'name', 'tenant_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('span', models.CharField(choices=[('minute', 'Minute'), ('hour', 'Hour')], max_length=6)),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('kind', models.CharField(choices=[('handler', 'Handler'), ('type', 'Event type')], max_length=7)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('succeeded', models.BigIntegerField(default=0, help_text='Deliveries that succeeded, or events that were processed.')),
                ('failed', models.BigIntegerField(default=0, help_text='Deliveries that gave up, or events that failed.')),
                ('retried', models.BigIntegerField(default=0, help_text='Attempts that failed and are made again.')),
                ('durations', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, help_text='How many events took how long: see `events.tallies.BOUNDS`.', size=None)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant')),
            ],
            options={
                'db_table': 'tallies',
            },
        ),
        migrations.CreateModel(
            name='AuditLine',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('action', models.CharField(max_length=50, verbose_name='action')),
                ('target_type', models.CharField(max_length=30)),
                ('target_id', models.CharField(max_length=100)),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('details', models.JSONField(default=dict, verbose_name='details')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='when')),
                ('actor', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, help_text='Empty: it concerns several tenants.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'audit line',
                'verbose_name_plural': 'audit',
                'db_table': 'audit_lines',
            },
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('kind', models.CharField(choices=[('new_group', 'A new failure group'), ('group_reopened', 'A resolved failure that comes back'), ('failure_rate', 'Failure rate of a handler'), ('oldest_pending', 'Age of the oldest pending event')], max_length=20, verbose_name='when')),
                ('threshold', models.FloatField(blank=True, help_text='Of a rate: per cent of the last ten minutes. Of an age: seconds.', null=True, verbose_name='threshold')),
                ('emails', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, size=None, verbose_name='e-mail addresses')),
                ('webhook_url', models.URLField(blank=True, verbose_name='webhook')),
                ('webhook_secret', models.CharField(blank=True, help_text='Signs what is sent to the webhook; see the documentation.', max_length=200, verbose_name='secret')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('tenant', models.ForeignKey(blank=True, help_text='Empty: every tenant.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'alert rule',
                'verbose_name_plural': 'alert rules',
                'db_table': 'alert_rules',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=200)),
                ('event_id', models.UUIDField(null=True)),
                ('raised_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='raised')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant')),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='events.alertrule')),
            ],
            options={
                'verbose_name': 'alert',
                'verbose_name_plural': 'alerts',
                'db_table': 'alerts',
            },
        ),
        migrations.AlterModelOptions(
            name='event',
            options={'permissions': [('replay_event', 'Can replay events'), ('replay_external', 'Can replay with external effects'), ('correct_event', 'Can edit events and replay them')], 'verbose_name': 'event', 'verbose_name_plural': 'events'},
        ),
        migrations.AddField(
            model_name='attempt',
            name='group_id',
            field=models.BigIntegerField(null=True, verbose_name='failure group'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='group_id',
            field=models.BigIntegerField(help_text='Of its last failure.', null=True, verbose_name='failure group'),
        ),
        migrations.AddField(
            model_name='event',
            name='corrects_id',
            field=models.UUIDField(help_text='The event in whose place this one was published.', null=True, verbose_name='corrects'),
        ),
        migrations.AddField(
            model_name='replay',
            name='has_canary',
            field=models.BooleanField(db_default=False, default=False, help_text='1, 10, 100 events, each step when the one before has answered.', verbose_name='canary first'),
        ),
        migrations.AddField(
            model_name='replay',
            name='kind',
            field=models.CharField(choices=[('replay', 'Replay'), ('correction', 'Correction')], db_default='replay', default='replay', max_length=10),
        ),
        migrations.AddField(
            model_name='replay',
            name='pace',
            field=models.PositiveIntegerField(help_text='Events per second; empty: as fast as workers can.', null=True, verbose_name='pace'),
        ),
        migrations.AddField(
            model_name='replay',
            name='patch',
            field=models.JSONField(help_text='Of a correction: what it changes in each payload.', null=True, verbose_name='patch'),
        ),
        migrations.AddField(
            model_name='replay',
            name='plan',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, help_text='What the frozen selection held, counted when it was frozen.', verbose_name='plan'),
        ),
        migrations.AddField(
            model_name='replay',
            name='released',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='replay',
            name='released_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='replay',
            name='selection',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, help_text='The filter that was frozen, see `events.selections`.', verbose_name='selection'),
        ),
        migrations.AddField(
            model_name='replay',
            name='started_at',
            field=models.DateTimeField(null=True, verbose_name='started'),
        ),
        migrations.AddField(
            model_name='replay',
            name='stop_percent',
            field=models.PositiveSmallIntegerField(help_text='Per cent of failures among the answers; empty: goes on whatever fails.', null=True, verbose_name='stops at'),
        ),
        migrations.AddField(
            model_name='replay',
            name='stopped_because',
            field=models.TextField(blank=True, db_default='', default='', verbose_name='stopped because'),
        ),
        migrations.AddField(
            model_name='replayitem',
            name='came_back',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='replayitem',
            name='correction_id',
            field=models.UUIDField(null=True, verbose_name='correction'),
        ),
        migrations.AlterField(
            model_name='replay',
            name='created_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='planned'),
        ),
        migrations.AlterField(
            model_name='replay',
            name='status',
            field=models.CharField(choices=[('planning', 'Being planned'), ('planned', 'Planned'), ('running', 'Running'), ('paused', 'Paused'), ('stopped', 'Stopped by itself'), ('cancelled', 'Cancelled'), ('finished', 'Finished')], default='running', max_length=10, verbose_name='status'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(fields=('rule', 'key'), name='alert_once'),
        ),
        migrations.AddIndex(
            model_name='auditline',
            index=models.Index(models.F('target_type'), models.F('target_id'), models.OrderBy(models.F('id'), descending=True), name='audit_lines_by_target'),
        ),
        migrations.AddIndex(
            model_name='failuregroup',
            index=models.Index(condition=models.Q(('reopened_at__isnull', False)), fields=['reopened_at'], name='failure_groups_reopened'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.UniqueConstraint(fields=('tenant', 'fingerprint'), name='failure_group_once_per_tenant'),
        ),
        migrations.AddIndex(
            model_name='failurecount',
            index=models.Index(fields=['bucket_at'], name='failure_counts_by_time'),
        ),
        migrations.AddIndex(
            model_name='auditline',
            index=models.Index(models.F('tenant'), models.OrderBy(models.F('id'), descending=True), name='audit_lines_by_tenant'),
        ),
        migrations.AddIndex(
            model_name='failuregroup',
            index=models.Index(models.F('state'), models.OrderBy(models.F('last_seen_at'), descending=True), name='failure_groups_by_state'),
        ),
        migrations.AddIndex(
            model_name='failuregroup',
            index=models.Index(fields=['fingerprint'], name='failure_groups_by_print'),
        ),
        migrations.AddIndex(
            model_name='failuregroup',
            index=models.Index(fields=['first_seen_at'], name='failure_groups_new'),
        ),
    ]
