import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import salesflow.accounts.encryption
import salesflow.accounts.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('channels', '0001_initial'),
        ('leads', '0002_reach_leads_on_linkedin'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AddressStanding',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], max_length=20, verbose_name='channel')),
                ('address', models.CharField(max_length=254, verbose_name='address')),
                ('basis', models.CharField(blank=True, choices=[('consent', 'Consent'), ('contract', 'Contract, or steps before one'), ('legitimate_interest', 'Legitimate interest')], max_length=20, verbose_name='lawful basis')),
                ('opted_out_at', models.DateTimeField(blank=True, null=True, verbose_name='opted out')),
                ('opt_out_source', models.CharField(blank=True, max_length=50, verbose_name='opted out by')),
                ('bounced_at', models.DateTimeField(blank=True, null=True, verbose_name='bounced')),
                ('bounce_reason', models.TextField(blank=True, verbose_name='why it bounced')),
                ('soft_bounces', models.PositiveSmallIntegerField(default=0, verbose_name='soft bounces in a row')),
            ],
            options={
                'verbose_name': 'address standing',
                'verbose_name_plural': 'address standings',
            },
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255, verbose_name='name')),
                ('content_type', models.CharField(max_length=127, verbose_name='type')),
                ('size', models.PositiveIntegerField(verbose_name='bytes')),
                ('content_id', models.CharField(blank=True, help_text="By which a mail's text shows it.", max_length=255, verbose_name='content id')),
                ('status', models.CharField(choices=[('stored', 'stored'), ('waiting', 'not fetched yet'), ('refused', 'not taken in')], default='stored', max_length=10, verbose_name='status')),
                ('reason', models.TextField(blank=True, verbose_name='why it was not taken in')),
                ('vendor_id', models.CharField(blank=True, max_length=255, verbose_name="vendor's id")),
            ],
            options={
                'verbose_name': 'attachment',
                'verbose_name_plural': 'attachments',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ConsentRecord',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], max_length=20, verbose_name='channel')),
                ('address', models.CharField(max_length=254, verbose_name='address')),
                ('decision', models.CharField(choices=[('granted', 'allowed'), ('withdrawn', 'opted out')], max_length=10, verbose_name='decision')),
                ('basis', models.CharField(blank=True, choices=[('consent', 'Consent'), ('contract', 'Contract, or steps before one'), ('legitimate_interest', 'Legitimate interest')], max_length=20, verbose_name='lawful basis')),
                ('source', models.CharField(help_text='Such as keyword, unsubscribe_link, whatsapp_preference, manual, import.', max_length=50, verbose_name='source')),
                ('proof', models.JSONField(default=dict, help_text="What shows it: a message's id, the words, a form.", verbose_name='proof')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='recorded')),
            ],
            options={
                'verbose_name': 'consent record',
                'verbose_name_plural': 'consent records',
            },
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('external_id', models.CharField(max_length=254, verbose_name="vendor's id")),
                ('name', models.CharField(blank=True, max_length=200, verbose_name='name')),
            ],
            options={
                'verbose_name': 'identity',
                'verbose_name_plural': 'identities',
            },
        ),
        migrations.CreateModel(
            name='Inbound',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(help_text='A digest, or a place in a mailbox: what is handed over twice is kept once.', max_length=100)),
                ('body', models.BinaryField()),
                ('received_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='received')),
            ],
            options={
                'verbose_name': 'inbound delivery',
                'verbose_name_plural': 'inbound deliveries',
            },
        ),
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('shortcut', models.CharField(blank=True, help_text='Typed behind a slash in the composer, it puts the text in.', max_length=30, verbose_name='shortcut')),
                ('channel', models.CharField(blank=True, choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], help_text='Empty: every channel.', max_length=20, verbose_name='channel')),
                ('language', models.CharField(choices=[('en', 'English'), ('de', 'German')], max_length=5, verbose_name='language')),
                ('subject', models.CharField(blank=True, max_length=200, verbose_name='subject')),
                ('body', models.TextField(verbose_name='text')),
                ('vendor_name', models.CharField(blank=True, help_text='WhatsApp: the template as it was approved; its variables are numbered.', max_length=512, verbose_name="vendor's name")),
                ('vendor_language', models.CharField(blank=True, max_length=15, verbose_name="vendor's language code")),
                ('vendor_status', models.CharField(blank=True, choices=[('', 'needs no approval'), ('pending', 'waits for approval'), ('approved', 'approved'), ('rejected', 'rejected'), ('paused', 'paused by the vendor')], default='', max_length=10, verbose_name='approval')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='last changed')),
            ],
            options={
                'verbose_name': 'message template',
                'verbose_name_plural': 'message templates',
                'ordering': ['name', 'language'],
            },
        ),
        migrations.CreateModel(
            name='Pace',
            fields=[
                ('key', models.CharField(max_length=320, primary_key=True, serialize=False)),
                ('next_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'channels_pace',
            },
        ),
        migrations.CreateModel(
            name='Replying',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('seen_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='conversation',
            name='assignee',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='assignee'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='changed_at',
            field=models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now(), verbose_name='last changed'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='last_inbound_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='lead wrote last'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='snoozed_until',
            field=models.DateTimeField(blank=True, null=True, verbose_name='snoozed until'),
        ),
        migrations.AddField(
            model_name='conversation',
            name='waiting_since',
            field=models.DateTimeField(blank=True, help_text='The first message of the lead that nobody has answered.', null=True, verbose_name='waiting since'),
        ),
        migrations.AddField(
            model_name='message',
            name='answer_ms',
            field=models.PositiveBigIntegerField(blank=True, help_text="From the lead's first unanswered message until this answer went out.", null=True, verbose_name='answered after (ms)'),
        ),
        migrations.AddField(
            model_name='message',
            name='automatic',
            field=models.CharField(blank=True, choices=[('', 'A person'), ('auto_reply', 'Automatic reply'), ('out_of_office', 'Out of office'), ('list', 'Newsletter or list'), ('bounce', 'Bounce')], default='', max_length=15, verbose_name='written by'),
        ),
        migrations.AddField(
            model_name='message',
            name='cc',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=254), blank=True, default=list, size=None, verbose_name='copy to'),
        ),
        migrations.AddField(
            model_name='message',
            name='details',
            field=models.JSONField(blank=True, default=dict, help_text="What its type needs: a template's variables, buttons, a link, a place.", verbose_name='details'),
        ),
        migrations.AddField(
            model_name='message',
            name='html',
            field=models.TextField(blank=True, help_text='As it came; only its cleaned form is ever shown.', verbose_name='HTML'),
        ),
        migrations.AddField(
            model_name='message',
            name='in_reply_to',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.message', verbose_name='in reply to'),
        ),
        migrations.AddField(
            model_name='message',
            name='purpose',
            field=models.CharField(choices=[('personal', 'Personal'), ('marketing', 'Marketing')], default='personal', max_length=10, verbose_name='purpose'),
        ),
        migrations.AddField(
            model_name='message',
            name='quoted',
            field=models.TextField(blank=True, help_text='What the text answers, folded away when shown.', verbose_name='quoted'),
        ),
        migrations.AddField(
            model_name='message',
            name='references',
            field=models.TextField(blank=True, help_text="Message-IDs of a mail's thread, the root first.", verbose_name='references'),
        ),
        migrations.AddField(
            model_name='message',
            name='slot_at',
            field=models.DateTimeField(blank=True, help_text="The place that it has drawn within its account's limits.", null=True, verbose_name='may go at'),
        ),
        migrations.AddField(
            model_name='message',
            name='stored_at',
            field=models.DateTimeField(blank=True, help_text='When it was taken in here; a vendor may have had it for a while.', null=True, verbose_name='stored'),
        ),
        migrations.AlterField(
            model_name='conversation',
            name='channel',
            field=models.CharField(choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], max_length=20, verbose_name='channel'),
        ),
        migrations.AlterField(
            model_name='message',
            name='address',
            field=models.CharField(help_text="The lead's e-mail address, phone number in E.164, or the vendor's id of them.", max_length=254, verbose_name='address'),
        ),
        migrations.AlterField(
            model_name='message',
            name='channel',
            field=models.CharField(choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], max_length=20, verbose_name='channel'),
        ),
        migrations.AlterField(
            model_name='message',
            name='status',
            field=models.CharField(choices=[('prepared', 'To be sent by hand'), ('queued', 'Queued'), ('unknown', 'Unknown'), ('sent', 'Sent'), ('delivered', 'Delivered'), ('read', 'Read'), ('failed', 'Failed'), ('received', 'Received')], max_length=10, verbose_name='status'),
        ),
        migrations.AlterField(
            model_name='message',
            name='type',
            field=models.CharField(choices=[('text', 'Text'), ('template', 'Template'), ('media', 'File'), ('interactive', 'Buttons'), ('reply', 'Choice'), ('location', 'Place'), ('contacts', 'Business card'), ('reaction', 'Reaction'), ('unsupported', 'Not shown by the vendor')], default='text', max_length=20, verbose_name='type'),
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.UUIDField(default=salesflow.accounts.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('whatsapp', 'WhatsApp'), ('linkedin', 'LinkedIn')], max_length=20, verbose_name='channel')),
                ('transport', models.CharField(max_length=50, verbose_name='transport')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('address', models.CharField(blank=True, help_text='What the other side sees: an e-mail address, a number in E.164.', max_length=254, verbose_name='address')),
                ('settings', models.JSONField(blank=True, default=dict, verbose_name='settings')),
                ('secrets', salesflow.accounts.encryption.EncryptedJSONField(blank=True, default=dict, verbose_name='secrets')),
                ('state', models.JSONField(blank=True, default=dict, help_text='What the transport remembers, such as how far a mailbox was read.')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('is_default', models.BooleanField(default=False, help_text='New conversations on this channel begin here.', verbose_name='default')),
                ('stopped_at', models.DateTimeField(blank=True, help_text='The vendor refuses the account: nothing is sent before somebody looked at it.', null=True, verbose_name='stopped')),
                ('stopped_reason', models.TextField(blank=True, verbose_name='why it was stopped')),
                ('last_sent_at', models.DateTimeField(blank=True, null=True, verbose_name='last sent')),
                ('last_received_at', models.DateTimeField(blank=True, null=True, verbose_name='last received')),
                ('last_error', models.TextField(blank=True, verbose_name='last error')),
                ('last_error_at', models.DateTimeField(blank=True, null=True, verbose_name='last error at')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='connected')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'channel account',
                'verbose_name_plural': 'channel accounts',
                'ordering': ['channel', 'name'],
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='account',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Through which the lead wrote last; answers go out from there.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='message',
            name='account',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.account', verbose_name='account'),
        ),
        migrations.AddConstraint(
            model_name='conversation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('snoozed_until__isnull', False), ('state', 'snoozed')), models.Q(models.Q(('state', 'snoozed'), _negated=True), ('snoozed_until__isnull', True)), _connector='OR'), name='conversation_snoozed_until_when'),
        ),
        migrations.AddField(
            model_name='addressstanding',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.CreateModel(
            name='AttachmentContent',
            fields=[
                ('attachment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='content', serialize=False, to='channels.attachment')),
                ('data', models.BinaryField()),
            ],
        ),
        migrations.AddField(
            model_name='attachment',
            name='message',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='channels.message', verbose_name='message'),
        ),
        migrations.AddField(
            model_name='attachment',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='consentrecord',
            name='actor',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='recorded by'),
        ),
        migrations.AddField(
            model_name='consentrecord',
            name='lead',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='consents', to='leads.lead', verbose_name='lead'),
        ),
        migrations.AddField(
            model_name='consentrecord',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='identity',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='channels.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='identity',
            name='lead',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='leads.lead', verbose_name='lead'),
        ),
        migrations.AddField(
            model_name='identity',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='inbound',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='inbounds', to='channels.account', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='inbound',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='messagetemplate',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='message',
            name='template',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.messagetemplate', verbose_name='template'),
        ),
        migrations.AddIndex(
            model_name='pace',
            index=models.Index(fields=['next_at'], name='pace_by_age'),
        ),
        migrations.AddField(
            model_name='replying',
            name='conversation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='replying', to='channels.conversation'),
        ),
        migrations.AddField(
            model_name='replying',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='replying',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('tenant', 'channel'), name='account_one_default_per_channel'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('is_default', False), ('is_active', True), _connector='OR'), name='account_default_is_active'),
        ),
        migrations.AddConstraint(
            model_name='addressstanding',
            constraint=models.UniqueConstraint(fields=('tenant', 'channel', 'address'), name='address_standing_once'),
        ),
        migrations.AddIndex(
            model_name='consentrecord',
            index=models.Index(fields=['tenant', 'channel', 'address', '-id'], name='consent_by_address'),
        ),
        migrations.AddConstraint(
            model_name='identity',
            constraint=models.UniqueConstraint(fields=('account', 'external_id'), name='identity_once'),
        ),
        migrations.AddIndex(
            model_name='inbound',
            index=models.Index(fields=['received_at'], name='inbound_by_age'),
        ),
        migrations.AddConstraint(
            model_name='inbound',
            constraint=models.UniqueConstraint(fields=('account', 'key'), name='inbound_once'),
        ),
        migrations.AddConstraint(
            model_name='messagetemplate',
            constraint=models.UniqueConstraint(fields=('tenant', 'name', 'channel', 'language'), name='template_once_per_language'),
        ),
        migrations.AddConstraint(
            model_name='messagetemplate',
            constraint=models.UniqueConstraint(condition=models.Q(('shortcut', ''), _negated=True), fields=('tenant', 'shortcut', 'channel', 'language'), name='template_shortcut_once'),
        ),
        migrations.AddConstraint(
            model_name='replying',
            constraint=models.UniqueConstraint(fields=('conversation', 'user'), name='replying_once'),
        ),
    ]
