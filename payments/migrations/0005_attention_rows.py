"""Reasons for attention get rows of their own; a refund remembers how its fiscal receipt stands."""

from typing import ClassVar

from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

REASONS = [
    ("row_deleted", "paid, and its row was deleted"),
    ("paid_twice", "paid twice for one order"),
    ("mismatch", "the provider's payment differs from ours"),
    ("refund_failed", "a refund did not go through"),
    ("slot_taken", "paid, but the time was taken"),
    ("slot_passed", "paid, but the time had passed"),
    ("not_fulfilled", "paid, but nothing was given for it"),
    ("waits_for_capture", "the money is reserved and not captured"),
    ("receipt_failed", "the fiscal receipt was not registered"),
    ("refund_receipt_failed", "the fiscal receipt of a refund was not registered"),
    ("refund_receipt_missing", "a refund went out without its fiscal receipt"),
    ("not_created", "the provider refused to create the payment"),
    ("check_failed", "the check at the provider failed for good"),
    ("row_refused", "the site's table does not take what YooKassa says"),
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("payments", "0004_places_are_kept"),
    ]

    operations: ClassVar = [
        # With a default of the database: processes of the version before write rows until they are restarted.
        migrations.AddField(
            model_name="refund",
            name="receipt_registration",
            field=models.CharField(blank=True, db_default="", default="", max_length=20, verbose_name="fiscal receipt"),
        ),
        migrations.AlterField(
            model_name="checkout",
            name="attention",
            field=models.CharField(
                blank=True, choices=REASONS, default="", max_length=30, verbose_name="needs attention"
            ),
        ),
        migrations.CreateModel(
            name="PaymentAttention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(choices=REASONS, max_length=30, verbose_name="needs attention")),
                ("note", models.TextField(blank=True, default="", verbose_name="what is wrong")),
                ("since", models.DateTimeField(verbose_name="since")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="settled")),
                (
                    "payment",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=models.DO_NOTHING,
                        related_name="marks",
                        to="payments.payment",
                        verbose_name="payment",
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=models.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="settled by",
                    ),
                ),
            ],
            options={
                "verbose_name": "reason for attention",
                "verbose_name_plural": "reasons for attention",
                "indexes": [models.Index(fields=["payment", "reason"], name="attention_payment")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(settled_at__isnull=True), fields=("payment", "reason"), name="attention_open_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(settled_by__isnull=True) | Q(settled_at__isnull=False),
                        name="attention_settled_by_has_time",
                    ),
                ],
            },
        ),
    ]
