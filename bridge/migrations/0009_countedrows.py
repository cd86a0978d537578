"""How many rows of large tables are in which state, as counted last."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bridge", "0008_rollup")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="CountedRows",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(max_length=40)),
                ("state", models.CharField(max_length=40)),
                ("count", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("what", "state"), name="bridge_counted_once")],
            },
        ),
    ]
