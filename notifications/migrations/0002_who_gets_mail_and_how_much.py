from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.RemoveConstraint(model_name="emailmessage", name="email_failed_has_reason"),
        # With defaults of the database: workers of the version before write rows until they are restarted.
        migrations.AddField(
            model_name="emailmessage",
            name="mailbox",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=320),
        ),
        migrations.AddField(
            model_name="emailmessage",
            name="about",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AlterField(
            model_name="emailmessage",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("retries_exhausted", "all attempts used up"),
                    ("permanent_error", "repeating would not help"),
                    ("invalid_message", "the message is unusable"),
                    ("worker_lost", "the worker died every time"),
                    ("refused", "our rules forbid it"),
                    ("message_gone", "the message vanished from the queue"),
                ],
                default="",
                max_length=30,
                verbose_name="reason",
            ),
        ),
        migrations.AddIndex(
            model_name="emailmessage",
            index=models.Index(
                condition=models.Q(("mailbox", ""), _negated=True),
                fields=["mailbox", "created_at"],
                name="email_mailbox_created",
            ),
        ),
        migrations.AddConstraint(
            model_name="emailmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "reason__in",
                            [
                                "retries_exhausted",
                                "permanent_error",
                                "invalid_message",
                                "worker_lost",
                                "refused",
                                "message_gone",
                            ],
                        ),
                        ("status", "failed"),
                    ),
                    models.Q(models.Q(("status", "failed"), _negated=True), ("reason", "")),
                    _connector="OR",
                ),
                name="email_failed_has_reason",
            ),
        ),
    ]
