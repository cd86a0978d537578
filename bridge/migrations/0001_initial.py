from django.db import migrations, models

# The one place that knows how our history is laid into a row. The carrier may hold anything a sender put there: what is
# not an object is kept under "_original". Null values of the patch remove their keys.
MERGE_HISTORY = """
CREATE FUNCTION bridge_merge_history(carrier jsonb, key text, patch jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
               WHEN carrier IS NULL THEN '{}'::jsonb
               WHEN jsonb_typeof(carrier) = 'object' THEN carrier
               ELSE jsonb_build_object('_original', carrier)
           END
        || jsonb_build_object(key, jsonb_strip_nulls(
               CASE WHEN jsonb_typeof(carrier -> key) = 'object' THEN carrier -> key ELSE '{}'::jsonb END || patch))
$$
"""

# Fired once a statement. Notifications of one transaction with the same payload are merged by Postgres.
NOTIFY = """
CREATE FUNCTION bridge_notify() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('balansity_bridge', pg_catalog.substr(TG_TABLE_NAME, 3));
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.RunSQL(MERGE_HISTORY, "DROP FUNCTION bridge_merge_history(jsonb, text, jsonb)"),
        migrations.RunSQL(NOTIFY, "DROP FUNCTION bridge_notify() CASCADE"),
        migrations.CreateModel(
            name="BridgeProcess",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False, verbose_name="process")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("stopped_at", models.DateTimeField(blank=True, null=True, verbose_name="stopped")),
                ("published", models.BigIntegerField(default=0, verbose_name="handed to workers")),
                ("archived", models.BigIntegerField(default=0, verbose_name="archived as failed")),
                ("waits_for", models.CharField(blank=True, default="", max_length=200, verbose_name="waits for")),
            ],
            options={"verbose_name": "bridge process", "verbose_name_plural": "bridge processes"},
        ),
        migrations.CreateModel(
            name="QueueOverview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))
            ],
            options={
                "verbose_name": "queue",
                "verbose_name_plural": "queues",
                "managed": False,
                "default_permissions": ("view",),
                "permissions": [("requeue_message", "Can put failed messages back into a queue")],
            },
        ),
    ]
