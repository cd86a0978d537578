"""An operator may end a mail before its time, or call one that failed dealt with."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("notifications", "0008_words_of_mails"),
    ]

    operations: ClassVar = [
        migrations.RemoveConstraint(
            model_name="emailmessage",
            name="email_failed_has_reason",
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
                    ("discarded", "an operator discarded it"),
                    ("message_gone", "the message vanished from the queue"),
                ],
                default="",
                max_length=30,
                verbose_name="reason",
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
                                "discarded",
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
