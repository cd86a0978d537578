from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bridge", "0006_holds_and_actions"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutsideService",
            fields=[
                ("name", models.CharField(max_length=30, primary_key=True, serialize=False, verbose_name="service")),
                ("is_open", models.BooleanField(default=False, verbose_name="away")),
                ("kind", models.CharField(blank=True, default="", max_length=20, verbose_name="kind")),
                ("why", models.TextField(blank=True, default="", verbose_name="why")),
                ("since", models.DateTimeField(null=True, verbose_name="since")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="back since")),
                ("failing", models.JSONField(default=list, verbose_name="messages that failed in a row")),
                ("failing_since", models.DateTimeField(null=True, verbose_name="failing since")),
                ("probes", models.IntegerField(default=0, verbose_name="probes")),
                ("probe_at", models.DateTimeField(null=True, verbose_name="next probe")),
                ("prober", models.CharField(blank=True, default="", max_length=200, verbose_name="who probes")),
                ("probing_until", models.DateTimeField(null=True, verbose_name="probes until")),
                (
                    "trial_queue",
                    models.CharField(
                        blank=True, default="", max_length=63, verbose_name="queue of the message on trial"
                    ),
                ),
                ("trial_msg_id", models.BigIntegerField(null=True, verbose_name="message on trial")),
                ("trial_attempts", models.BigIntegerField(null=True, verbose_name="its attempts before")),
                ("trial_until", models.DateTimeField(null=True, verbose_name="end of the trial")),
                ("tried", models.JSONField(default=list, verbose_name="messages that were on trial")),
                ("told_nothing", models.IntegerField(default=0, verbose_name="trials that told nothing")),
            ],
            options={
                "verbose_name": "service outside",
                "verbose_name_plural": "services outside",
                "default_permissions": (),
            },
        ),
    ]
