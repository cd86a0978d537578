from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bridge", "0002_either_carrier"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeptOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField(max_length=63, verbose_name="queue")),
                ("msg_id", models.BigIntegerField(verbose_name="message №")),
                ("enqueued_at", models.DateTimeField(verbose_name="queued")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("succeeded", "done"),
                            ("failed", "failed"),
                            ("duplicate", "duplicate"),
                            ("retrying", "waiting for a repeat"),
                        ],
                        max_length=20,
                        verbose_name="outcome",
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=30, verbose_name="reason")),
                ("error_type", models.CharField(blank=True, default="", max_length=200, verbose_name="kind of error")),
                ("error", models.TextField(blank=True, default="", verbose_name="error")),
                ("original", models.BigIntegerField(null=True, verbose_name="original")),
                ("due_at", models.DateTimeField(null=True, verbose_name="next attempt")),
                ("why", models.TextField(verbose_name="why it could not be written")),
                ("kept_at", models.DateTimeField(auto_now_add=True, verbose_name="kept")),
            ],
            options={
                "verbose_name": "kept outcome",
                "verbose_name_plural": "kept outcomes",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("queue", "msg_id", "enqueued_at"), name="bridge_kept_once"),
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["succeeded", "failed", "duplicate", "retrying"])),
                        name="bridge_kept_outcome_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("due_at__isnull", False), ("outcome", "retrying")),
                            models.Q(models.Q(("outcome", "retrying"), _negated=True), ("due_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="bridge_kept_retry_is_due",
                    ),
                ],
            },
        ),
    ]
