"""What providers tell of mails, and what staff are told: in tables of their own, which no sending of a mail needs."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0006_attachments"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffNotice",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20, verbose_name="kind")),
                ("key", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(db_index=True, verbose_name="created")),
                ("text", models.JSONField(null=True)),
            ],
            options={
                "verbose_name": "note to staff",
                "verbose_name_plural": "notes to staff",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Tracking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=30, verbose_name="sent through")),
                ("provider_message_id", models.CharField(max_length=255, verbose_name="id at the provider")),
                (
                    "arrival",
                    models.CharField(
                        choices=[
                            ("deferred", "the provider tries again"),
                            ("delivered", "delivered"),
                            ("rejected", "not sent by the provider"),
                            ("bounced", "not delivered"),
                            ("complained", "called spam by the recipient"),
                        ],
                        max_length=20,
                        verbose_name="what became of it",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_such_mailbox", "there is no such mailbox"),
                            ("mailbox_full", "the mailbox is full"),
                            ("taken_for_spam", "the recipient's server took it for spam"),
                            ("suppressed", "the provider does not write to this address any more"),
                            ("unsubscribed", "the recipient unsubscribed at the provider"),
                            ("not_reached", "the recipient's server could not be reached"),
                            ("refused", "the recipient's server refused it"),
                            ("unknown", "the provider does not say why"),
                        ],
                        db_default="",
                        default="",
                        max_length=20,
                        verbose_name="why",
                    ),
                ),
                (
                    "detail",
                    models.TextField(blank=True, db_default="", default="", verbose_name="the provider's words"),
                ),
                ("at", models.DateTimeField(verbose_name="told for")),
                ("received_at", models.DateTimeField(verbose_name="received")),
            ],
            options={
                "verbose_name": "provider's word about an email",
                "verbose_name_plural": "providers' words about emails",
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="emailmessage",
            index=models.Index(
                condition=models.Q(("provider__in", ("resend", "sendgrid", "unisender_go"))),
                fields=["provider_message_id"],
                name="email_at_provider",
            ),
        ),
        migrations.AddConstraint(
            model_name="staffnotice",
            constraint=models.UniqueConstraint(fields=("kind", "key"), name="staff_notice_once"),
        ),
        migrations.AddField(
            model_name="tracking",
            name="email",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="told",
                to="notifications.emailmessage",
                verbose_name="email",
            ),
        ),
        migrations.AddIndex(
            model_name="tracking",
            index=models.Index(
                condition=models.Q(("email__isnull", True)), fields=["received_at"], name="tracking_of_nothing"
            ),
        ),
        migrations.AddIndex(
            model_name="tracking",
            index=models.Index(
                condition=models.Q(("arrival__in", ("rejected", "bounced", "complained"))),
                fields=["at"],
                name="tracking_unwelcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="tracking",
            constraint=models.UniqueConstraint(fields=("provider", "provider_message_id"), name="tracking_once"),
        ),
        migrations.AddConstraint(
            model_name="tracking",
            constraint=models.CheckConstraint(
                condition=models.Q(("arrival__in", ["deferred", "delivered", "rejected", "bounced", "complained"])),
                name="tracking_arrival_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tracking",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("arrival__in", ("rejected", "bounced")), models.Q(("why", ""), _negated=True)),
                    models.Q(models.Q(("arrival__in", ("rejected", "bounced")), _negated=True), ("why", "")),
                    _connector="OR",
                ),
                name="tracking_says_why",
            ),
        ),
    ]
