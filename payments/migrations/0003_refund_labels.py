"""What the states of a refund are called. Changes nothing in the database."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0002_timeline_is_append_only")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="refund",
            name="status",
            field=models.CharField(
                choices=[
                    ("requested", "on its way to the provider"),
                    ("pending", "being made"),
                    ("succeeded", "refunded"),
                    ("canceled", "did not go through"),
                    ("rejected", "refused by the provider"),
                ],
                default="requested",
                max_length=20,
                verbose_name="status",
            ),
        ),
    ]
