"""The roll-up of what was archived, and a row for each message that failed."""

from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

# What errors of one cause have in common: without the quoted, addresses, ids, dates and numbers in which they differ.
# The order counts: an address may hold a number, an id may begin like one. Looks at no more than is shown of an error.
PATTERN = r"""
CREATE FUNCTION bridge_pattern(error text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    shape text := left(error, 1000);
    -- What an address is made of, on both sides of its @.
    part text := '[^[:space:]<>"''«»“”„`(),;:=@]+';
    moment text := '\d{4}-\d\d-\d\d([T ]+\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|UTC|[+-]\d\d(:?\d\d)?))?)?'
                   '|\d\d?\.\d\d?\.\d{4}|\d\d?:\d\d:\d\d([.,]\d+)?';
BEGIN
    shape := regexp_replace(shape, '[[:alpha:]][[:alnum:]+.-]*://[^[:space:]<>"''«»]+', '<url>', 'g');
    shape := regexp_replace(shape, '<?' || part || '@' || part || '>?', '<address>', 'g');
    shape := regexp_replace(shape, '"[^"]*"|«[^»]*»|“[^”]*”|„[^“”]*[“”]|`[^`]*`', '<text>', 'g');
    -- An apostrophe stands within a word, a quotation mark at its edge.
    shape := regexp_replace(shape, '(?<![[:alnum:]])''[^'']*''(?![[:alnum:]])', '<text>', 'g');
    shape := regexp_replace(shape, '[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}', '<id>', 'gi');
    shape := regexp_replace(shape, moment, '<time>', 'g');
    shape := regexp_replace(shape, '\m\d{1,3}(\.\d{1,3}){3}(:\d+)?\M', '<host>', 'g');
    shape := regexp_replace(
        shape, '(?<![[:alnum:]:])([[:xdigit:]]{0,4}:){2,7}[[:xdigit:]]{1,4}(?![[:alnum:]:])', '<host>', 'gi');
    shape := regexp_replace(shape, '\m0x[[:xdigit:]]+\M', '<id>', 'gi');
    -- Words of letters and digits: hexadecimal of eight and more, others of ten and more.
    shape := regexp_replace(
        shape, '\m(?=[[:alpha:]_-]*\d)(?=[\d_-]*[[:alpha:]])([[:xdigit:]]{8,}|[[:alnum:]_-]{10,})\M', '<id>', 'gi');
    shape := regexp_replace(shape, '\d+([.,:]\d+)*', '<n>', 'g');
    RETURN left(btrim(regexp_replace(shape, '[[:space:][:cntrl:]]+', ' ', 'g')), 250);
END
$$
"""

# A time that a sender may have written, and so anything. What cannot but be one, as are all of ours, is read at once;
# the rest by a function that catches what Postgres says of it.
ODD_MOMENT = r"""
CREATE FUNCTION bridge_odd_moment(given jsonb) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(given) IS DISTINCT FROM 'string' OR pg_column_size(given) > 60 THEN
        RETURN NULL;
    END IF;
    IF given #>> '{}' !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d(:\d\d)?)$' THEN
        RETURN NULL;
    END IF;
    RETURN (given #>> '{}')::timestamptz;
EXCEPTION
    WHEN data_exception THEN
        RETURN NULL;
END
$$
"""
MOMENT = r"""
CREATE FUNCTION bridge_moment(given jsonb) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN given IS NULL THEN NULL
        WHEN given::text
            ~ '^"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?\+00:00"$'
        THEN (given #>> '{}')::timestamptz
        ELSE bridge_odd_moment(given) END
$$
"""

# How many of each bucket there are in both.
BOTH = """
CREATE FUNCTION bridge_both(one bigint[], other bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(coalesce(a, 0) + coalesce(b, 0) ORDER BY n)
    FROM unnest(one, other) WITH ORDINALITY AS pairs (a, b, n)
$$
"""

_FIGURES: list[tuple[str, Any]] = [
    ("count", models.BigIntegerField(default=0, db_default=0)),
    ("attempts", models.BigIntegerField(default=0, db_default=0)),
    ("waiting", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
    ("waiting_seconds", models.FloatField(default=0.0, db_default=0.0)),
    ("running", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
    ("running_seconds", models.FloatField(default=0.0, db_default=0.0)),
]


class Migration(migrations.Migration):
    dependencies = [("bridge", "0007_outsideservice")]
    operations = [
        migrations.RunSQL(PATTERN, "DROP FUNCTION bridge_pattern(text)"),
        migrations.RunSQL(ODD_MOMENT, "DROP FUNCTION bridge_odd_moment(jsonb)"),
        migrations.RunSQL(MOMENT, "DROP FUNCTION bridge_moment(jsonb)"),
        migrations.RunSQL(BOTH, "DROP FUNCTION bridge_both(bigint[], bigint[])"),
        migrations.CreateModel(
            name="FailedMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField(max_length=100, verbose_name="queue")),
                ("msg_id", models.BigIntegerField(verbose_name="message №")),
                ("archived_at", models.DateTimeField(verbose_name="failed")),
                ("reason", models.CharField(blank=True, default="", max_length=30, verbose_name="reason")),
                ("error_type", models.CharField(blank=True, default="", max_length=200, verbose_name="kind of error")),
                ("error", models.TextField(blank=True, default="", verbose_name="error")),
                ("pattern", models.TextField(blank=True, default="", verbose_name="error, without what differs")),
                ("trace_id", models.CharField(blank=True, default="", max_length=64, verbose_name="trace id")),
                ("attempts", models.IntegerField(default=0, verbose_name="attempts")),
                ("requeued_as", models.BigIntegerField(blank=True, null=True, verbose_name="put back as")),
                ("discarded_at", models.DateTimeField(blank=True, null=True, verbose_name="discarded")),
            ],
            options={
                "verbose_name": "failed message",
                "verbose_name_plural": "failed messages",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("queue", "msg_id"), name="bridge_failed_once"),
                ],
                "indexes": [
                    models.Index(
                        fields=["queue", "reason", "error_type", "pattern"],
                        condition=models.Q(("discarded_at", None), ("requeued_as", None)),
                        name="bridge_failed_open",
                    ),
                    models.Index(
                        condition=models.Q(("reason", "refused"), _negated=True),
                        fields=["queue", "archived_at"],
                        include=["requeued_as", "discarded_at", "reason"],
                        name="bridge_failed_when",
                    ),
                    models.Index(
                        condition=models.Q(("requeued_as__isnull", False)),
                        fields=["queue", "archived_at"],
                        name="bridge_failed_put_back",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RolledQueue",
            fields=[
                ("queue", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField(null=True)),
                ("counted", models.TextField(default="{}", db_default="{}")),
                ("rolled_at", models.DateTimeField(null=True)),
                ("complete_at", models.DateTimeField(null=True)),
                ("sweep_below", models.BigIntegerField(null=True)),
                ("sweep_after", models.BigIntegerField(null=True)),
                ("sweep_at", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="RolledHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField(max_length=100)),
                ("hour", models.DateTimeField()),
                ("outcome", models.CharField(max_length=20)),
                ("reason", models.CharField(blank=True, default="", max_length=30)),
                *_FIGURES,
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("queue", "hour", "outcome", "reason"), name="bridge_rolled_hour_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RolledTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField(max_length=100)),
                ("outcome", models.CharField(max_length=20)),
                ("reason", models.CharField(blank=True, default="", max_length=30)),
                *_FIGURES,
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("queue", "outcome", "reason"), name="bridge_rolled_total_once"),
                ],
            },
        ),
    ]
