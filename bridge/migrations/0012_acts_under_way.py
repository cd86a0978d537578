"""Acts on many messages are under way for a while, and go on after whatever interrupts them."""

from importlib import import_module
from typing import ClassVar

from django.db import migrations, models

_BEFORE = import_module("bridge.migrations.0010_tries")

# What acts write on an archived message is believed as well.
KNOWN = _BEFORE.KNOWN.replace("'requeued_as']", "'requeued_as', 'acted_by']").replace(
    "'requeued_at']", "'requeued_at', 'discarded_at']"
)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("bridge", "0011_processes"),
    ]

    operations: ClassVar = [
        migrations.RunSQL(KNOWN, _BEFORE.KNOWN),
        migrations.AddField(
            model_name="operatoraction",
            name="after",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="operatoraction",
            name="finished_at",
            field=models.DateTimeField(null=True, verbose_name="finished"),
        ),
        migrations.AddField(
            model_name="operatoraction",
            name="key",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="operatoraction",
            name="rate",
            field=models.FloatField(null=True, verbose_name="a second"),
        ),
        migrations.AddField(
            model_name="operatoraction",
            name="seen_at",
            field=models.DateTimeField(null=True, verbose_name="last progress"),
        ),
        migrations.AddField(
            model_name="operatoraction",
            name="state",
            field=models.CharField(
                choices=[("done", "done"), ("running", "under way"), ("handed_over", "workers do it")],
                db_default="done",
                default="done",
                max_length=20,
                verbose_name="state",
            ),
        ),
        migrations.AddIndex(
            model_name="operatoraction",
            index=models.Index(
                condition=models.Q(("state", "done"), _negated=True), fields=["seen_at"], name="bridge_action_under_way"
            ),
        ),
        migrations.AddConstraint(
            model_name="operatoraction",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key__isnull", False)), fields=("key",), name="bridge_action_once"
            ),
        ),
    ]
