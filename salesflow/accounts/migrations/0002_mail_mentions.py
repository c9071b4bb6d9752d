from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="mention_mails",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="In a note, with an “@”. None comes if you have seen it by then.",
                verbose_name="mail me when a colleague mentions me",
            ),
        ),
    ]
