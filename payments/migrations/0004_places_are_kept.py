"""Orders that are paid and wait: their place is kept until they are given. Which rows were merged into one booking."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("payments", "0003_refund_labels"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="checkout",
            name="give_at",
            field=models.DateTimeField(null=True, verbose_name="is given at the latest at"),
        ),
        migrations.AddField(
            model_name="checkout",
            name="held_at",
            field=models.DateTimeField(null=True, verbose_name="time kept since"),
        ),
        migrations.AddField(
            model_name="fulfilment",
            name="merged",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), editable=False, null=True, size=None, verbose_name="removed bookings"
            ),
        ),
        migrations.AlterField(
            model_name="checkout",
            name="attention",
            field=models.CharField(
                blank=True,
                choices=[
                    ("mismatch", "the provider's payment differs from ours"),
                    ("slot_taken", "paid, but the time was taken"),
                    ("slot_passed", "paid, but the time had passed"),
                    ("not_fulfilled", "paid, but nothing was given for it"),
                    ("waits_for_capture", "the money is reserved and not captured"),
                    ("not_created", "the provider refused to create the payment"),
                    ("refund_failed", "a refund did not go through"),
                    ("check_failed", "the check at the provider failed for good"),
                    ("row_refused", "the site's table does not take what YooKassa says"),
                ],
                default="",
                max_length=30,
                verbose_name="needs attention",
            ),
        ),
        migrations.AlterField(
            model_name="paymentevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("created", "payment started"),
                    ("provider_created", "created at YooKassa"),
                    ("provider_refused", "YooKassa refused it"),
                    ("provider_away", "YooKassa was not reachable"),
                    ("notified", "notification received"),
                    ("checked", "checked at YooKassa"),
                    ("status_changed", "status changed"),
                    ("status_corrected", "status written by somebody else, corrected"),
                    ("held", "paid, the time is kept for the client"),
                    ("fulfilled", "given to the customer"),
                    ("merged", "a second booking of the same consultation was removed"),
                    ("attention", "needs attention"),
                    ("attention_cleared", "attention cleared"),
                    ("refund_requested", "refund requested"),
                    ("refund_changed", "refund changed"),
                    ("receipt_changed", "receipt changed"),
                ],
                max_length=30,
                verbose_name="what",
            ),
        ),
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(
                condition=models.Q(("give_at__isnull", False)), fields=["give_at"], name="checkout_held"
            ),
        ),
        migrations.AddIndex(
            model_name="fulfilment",
            index=django.contrib.postgres.indexes.GinIndex(fields=["merged"], name="fulfilment_merged"),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("give_at__isnull", True), ("held_at__isnull", True)),
                    models.Q(("give_at__isnull", False), ("held_at__isnull", False), ("provider_status", "succeeded")),
                    _connector="OR",
                ),
                name="checkout_only_paid_is_held",
            ),
        ),
    ]
