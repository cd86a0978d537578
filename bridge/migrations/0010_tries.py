"""Every attempt is kept in the history of its message, the newest twenty (`bridge/tries.py` reads them).

The functions that all statements call are replaced, so attempts of processes that still run the version before are kept
as well; and a process of this version that starts earlier writes two keys more, which nobody believes. What a message
says, which its page shows, may be read with a right of its own.
"""

from importlib import import_module
from typing import ClassVar

from django.db import migrations

_BEFORE = import_module("bridge.migrations.0002_either_carrier")

# The attempts on a row that may be believed, and are small: senders can write under our key as well. Called only where
# there are any, which no message has that ends at its first attempt.
KNOWN_TRIES = """
CREATE FUNCTION bridge_known_tries(raw jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_strip_nulls(jsonb_agg(jsonb_build_object(
        'number', this -> 'number',
        'started_at', CASE WHEN jsonb_typeof(this -> 'started_at') = 'string' THEN left(this ->> 'started_at', 40) END,
        'seconds', CASE WHEN jsonb_typeof(this -> 'seconds') = 'number' THEN
            CASE WHEN scale((this -> 'seconds')::numeric) <= 6 AND (this -> 'seconds')::numeric BETWEEN 0 AND 1e7
                 THEN this -> 'seconds' END END,
        'worker', CASE WHEN jsonb_typeof(this -> 'worker') = 'string' THEN left(this ->> 'worker', 100) END,
        'lost', CASE WHEN this -> 'lost' = 'true' THEN true END,
        'error', CASE WHEN jsonb_typeof(this #> '{error,type}') = 'string'
                       AND jsonb_typeof(this #> '{error,message}') = 'string' THEN
            jsonb_build_object('type', left(this #>> '{error,type}', 200),
                               'message', left(this #>> '{error,message}', 300)) END)
        ORDER BY place))
    FROM (SELECT this, place FROM jsonb_array_elements(raw) WITH ORDINALITY AS each (this, place)
          WHERE jsonb_typeof(this -> 'number') = 'number'
          ORDER BY place DESC LIMIT 20) AS newest
    WHERE CASE WHEN scale((this -> 'number')::numeric) = 0 THEN (this -> 'number')::numeric BETWEEN 1 AND 10000 END
$$
"""

# What of a history may be believed, and is small: senders can write under our key as well.
KNOWN = """
CREATE OR REPLACE FUNCTION bridge_known(raw jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    name text;
    value jsonb;
    error jsonb := raw -> 'last_error';
    known jsonb := '{}';
BEGIN
    IF jsonb_typeof(raw) IS DISTINCT FROM 'object' THEN
        RETURN NULL;
    END IF;
    FOREACH name IN ARRAY ARRAY['attempts', 'own_tries', 'original', 'requeued_from', 'requeued_as', 'acted_by'] LOOP
        value := raw -> name;
        IF jsonb_typeof(value) = 'number' THEN
            IF scale(value::numeric) = 0 AND value::numeric BETWEEN 0 AND 9223372036854775807 THEN
                known := known || jsonb_build_object(name, value);
            END IF;
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['trace_id', 'first_attempt_at', 'last_attempt_at', 'leased_until', 'next_retry_at',
                                'worker', 'outcome', 'reason', 'finished_at', 'requeued_at', 'discarded_at'] LOOP
        value := raw -> name;
        IF jsonb_typeof(value) = 'string' AND pg_column_size(value) <= 300 THEN
            known := known || jsonb_build_object(name, value);
        END IF;
    END LOOP;
    IF jsonb_typeof(error -> 'type') = 'string' AND jsonb_typeof(error -> 'message') = 'string' THEN
        known := known || jsonb_build_object('last_error', jsonb_build_object(
            'type', left(error ->> 'type', 200), 'message', left(error ->> 'message', 2000)));
    END IF;
    IF raw ? 'tries' THEN
        value := raw -> 'tries';
        IF jsonb_typeof(value) = 'array' AND pg_column_size(value) <= 65536 THEN
            known := known || jsonb_strip_nulls(jsonb_build_object('tries', bridge_known_tries(value)));
        END IF;
    END IF;
    RETURN known;
END
$$
"""

# The history with what a statement adds to it; null values remove their keys, and the first attempt keeps its time.
# An attempt is under way as long as `leased_until` stands there. Whichever statement writes or removes that, or an
# outcome, ends the attempt: another claim, a bridge or an operator that gives the message up finds it lost; one
# that was put back has never been. `seconds` is for the attempt alone, and `worker` for the one that is under way.
ADDED = """
CREATE OR REPLACE FUNCTION bridge_added(history jsonb, patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    is_claim boolean := coalesce(jsonb_typeof(patch -> 'leased_until') = 'string', false);
    is_lost boolean := is_claim OR NOT patch ? 'leased_until'
                       OR coalesce(patch ->> 'reason' IN ('worker_lost', 'discarded'), false);
    tries jsonb;
BEGIN
    IF history ? 'first_attempt_at' THEN
        patch := patch - 'first_attempt_at';
    END IF;
    IF patch ? 'leased_until' OR patch ? 'outcome' THEN
        IF history ? 'leased_until' AND history ? 'attempts' AND (is_claim OR NOT patch ? 'attempts') THEN
            tries := coalesce(history -> 'tries', '[]') || jsonb_build_object(
                'number', history -> 'attempts',
                'started_at', left(history ->> 'last_attempt_at', 40),
                'seconds', patch -> 'seconds',
                'worker', left(history ->> 'worker', 100),
                'lost', CASE WHEN is_lost THEN true END,
                'error', CASE WHEN NOT is_lost AND jsonb_typeof(patch -> 'last_error') = 'object' THEN
                    jsonb_build_object('type', left(patch #>> '{last_error,type}', 200),
                                       'message', left(patch #>> '{last_error,message}', 300)) END);
            IF jsonb_array_length(tries) > 20 THEN
                tries := tries - 0;
            END IF;
            patch := patch || jsonb_build_object('tries', tries);
        END IF;
        history := history - 'worker';
    END IF;
    RETURN jsonb_strip_nulls(coalesce(history, '{}') || (patch - 'seconds'));
END
$$
"""


def _as_before(create: str) -> str:
    return create.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bridge", "0009_countedrows")]
    operations: ClassVar = [
        migrations.RunSQL(KNOWN_TRIES, "DROP FUNCTION bridge_known_tries(jsonb)"),
        migrations.RunSQL(KNOWN, _as_before(_BEFORE.KNOWN)),
        migrations.RunSQL(ADDED, _as_before(_BEFORE.ADDED)),
        migrations.AlterModelOptions(
            name="queueoverview",
            options={
                "managed": False,
                "default_permissions": ("view",),
                "permissions": [
                    ("requeue_message", "Can put failed messages back into a queue"),
                    ("pause_queue", "Can pause a queue and let it go on"),
                    ("view_message_body", "Can read what messages say"),
                ],
                "verbose_name": "queue",
                "verbose_name_plural": "queues",
            },
        ),
    ]
