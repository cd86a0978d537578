"""When YooKassa was last asked about a payment."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0006_marks_so_far")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("key", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField()),
                ("refused", models.TextField(blank=True, db_default="", default="")),
                ("refused_as", models.CharField(blank=True, db_default="", default="", max_length=40)),
            ],
            options={"default_permissions": ()},
        ),
    ]
