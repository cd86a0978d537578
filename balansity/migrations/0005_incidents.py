"""What staff are told of at once: from when, until when, by which notes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("balansity", "0004_surroundings"),
        ("notifications", "0007_arrivals_and_notes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("detector", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=60)),
                ("key", models.CharField(max_length=100)),
                ("what", models.TextField()),
                ("advice", models.TextField(blank=True, default="")),
                ("address", models.CharField(blank=True, default="", max_length=300)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("begin_told_at", models.DateTimeField(null=True)),
                ("end_told_at", models.DateTimeField(null=True)),
                (
                    "begin_notice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="begins",
                        to="notifications.staffnotice",
                    ),
                ),
                (
                    "end_notice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="ends",
                        to="notifications.staffnotice",
                    ),
                ),
            ],
            options={
                "verbose_name": "incident",
                "verbose_name_plural": "incidents",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["kind", "begin_told_at"], name="incident_told"),
                    models.Index(fields=["began_at"], name="incident_began"),
                    models.Index(
                        condition=models.Q(("end_told_at__isnull", True)), fields=["id"], name="incident_to_tell"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("detector", "key"),
                        name="incident_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end_told_at__isnull", True),
                            models.Q(("begin_told_at__isnull", False), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="incident_end_is_told_last",
                    ),
                ],
            },
        ),
    ]
