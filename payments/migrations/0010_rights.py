"""Only rights to what can be done, and one to see the revenue; failed checks are found by an index."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("payments", "0007_turns"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="appointment",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "consultation",
                "verbose_name_plural": "consultations",
            },
        ),
        migrations.AlterModelOptions(
            name="appointmenttype",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "kind of consultation",
                "verbose_name_plural": "kinds of consultation",
            },
        ),
        migrations.AlterModelOptions(
            name="checkout",
            options={"default_permissions": (), "verbose_name": "checkout", "verbose_name_plural": "checkouts"},
        ),
        migrations.AlterModelOptions(
            name="fulfilment",
            options={"default_permissions": (), "verbose_name": "fulfilment", "verbose_name_plural": "fulfilments"},
        ),
        migrations.AlterModelOptions(
            name="idempotencykey",
            options={
                "default_permissions": (),
                "verbose_name": "idempotency key",
                "verbose_name_plural": "idempotency keys",
            },
        ),
        migrations.AlterModelOptions(
            name="package",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "package",
                "verbose_name_plural": "packages",
            },
        ),
        migrations.AlterModelOptions(
            name="packagepurchase",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "bought package",
                "verbose_name_plural": "bought packages",
            },
        ),
        migrations.AlterModelOptions(
            name="payment",
            options={
                "default_permissions": ("view",),
                "managed": False,
                "permissions": [
                    ("refund_payment", "Can refund payments"),
                    ("check_payment", "Can check payments at YooKassa"),
                    ("view_revenue", "Can see the revenue and take it along as a table"),
                ],
                "verbose_name": "payment",
                "verbose_name_plural": "payments",
            },
        ),
        migrations.AlterModelOptions(
            name="paymentattention",
            options={
                "default_permissions": (),
                "verbose_name": "reason for attention",
                "verbose_name_plural": "reasons for attention",
            },
        ),
        migrations.AlterModelOptions(
            name="paymentevent",
            options={"default_permissions": (), "verbose_name": "event", "verbose_name_plural": "events"},
        ),
        migrations.AlterModelOptions(
            name="profile",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "family member",
                "verbose_name_plural": "family members",
            },
        ),
        migrations.AlterModelOptions(
            name="providernotification",
            options={
                "default_permissions": ("view",),
                "permissions": [("replay_providernotification", "Can process a notification again")],
                "verbose_name": "notification",
                "verbose_name_plural": "notifications",
            },
        ),
        migrations.AlterModelOptions(
            name="refund",
            options={"default_permissions": ("view",), "verbose_name": "refund", "verbose_name_plural": "refunds"},
        ),
        migrations.AlterModelOptions(
            name="user",
            options={
                "default_permissions": (),
                "managed": False,
                "verbose_name": "customer",
                "verbose_name_plural": "customers",
            },
        ),
        migrations.AddIndex(
            model_name="providernotification",
            index=models.Index(
                condition=models.Q(("status", "failed")), fields=["received_at"], name="notification_failed"
            ),
        ),
    ]
