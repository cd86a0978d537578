"""Which groups of staff we have made, and what they were given so far. They themselves come after the migrations."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("balansity", "0001_login_attempts"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ReadyGroup",
            fields=[
                ("key", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("granted", models.JSONField(default=list)),
                (
                    "group",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="auth.group"
                    ),
                ),
            ],
            options={
                "verbose_name": "ready group",
                "verbose_name_plural": "ready groups",
                "default_permissions": (),
            },
        ),
    ]
