"""Which files a mail brought along: an old process that writes a row without knowing of them writes none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_what_is_open")]

    operations = [
        migrations.AddField(
            model_name="emailmessage",
            name="attachments",
            field=models.CharField(blank=True, db_default="", default="", max_length=255, verbose_name="attachments"),
        ),
    ]
