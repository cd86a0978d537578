"""Only rights to what can be done; what is open, and the mails about one thing, are found by an index."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("notifications", "0003_mask_stored_links"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="emailmessage",
            options={
                "default_permissions": ("view",),
                "permissions": [("resend_emailmessage", "Can send a failed email again")],
                "verbose_name": "email",
                "verbose_name_plural": "emails",
            },
        ),
        migrations.AddIndex(
            model_name="emailmessage",
            index=models.Index(condition=models.Q(("about", ""), _negated=True), fields=["about"], name="email_about"),
        ),
        migrations.AddIndex(
            model_name="emailmessage",
            index=models.Index(
                condition=models.Q(("status", "failed"), models.Q(("reason", "refused"), _negated=True)),
                fields=["created_at"],
                name="email_failed",
            ),
        ),
    ]
