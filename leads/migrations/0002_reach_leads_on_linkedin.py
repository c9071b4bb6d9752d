from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='contactpoint',
            name='kind',
            field=models.CharField(choices=[('email', 'e-mail address'), ('phone', 'phone number'), ('linkedin', 'LinkedIn profile')], max_length=20, verbose_name='kind'),
        ),
    ]
