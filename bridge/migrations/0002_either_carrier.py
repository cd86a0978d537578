from django.db import migrations

# Whether a text of this jsonb has more than `most` octets. It is asked of whatever strangers send, so it must cost
# little and never fail: nothing is written out before it is known that the text has a bound. Stored, jsonb takes at
# most four times the room of its text; compressed it may take a hundredth; and a number like 1e131071 takes twelve
# octets and gives a text of 131 072, as 1e-16383 gives one of 16 385.
TOO_LARGE = """
CREATE FUNCTION bridge_too_large(body jsonb, most integer) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    digits numeric;
BEGIN
    IF body IS NULL THEN
        RETURN false;
    END IF;
    IF pg_column_size(body) > 4.0 * most + 64 THEN
        RETURN true;
    END IF;
    -- A copy in memory is not compressed.
    IF pg_column_size(jsonb_path_query_first(body, '$')) > 4.0 * most + 64 THEN
        RETURN true;
    END IF;
    SELECT sum(scale(n) + CASE WHEN abs(n) < 1e30 THEN 30 WHEN abs(n) < 1e1000 THEN 1000 ELSE 131072 END)
    INTO digits
    FROM (SELECT number::numeric AS n
          FROM jsonb_path_query(body, 'strict $.** ? (@.type() == "number")') AS number) AS numbers;
    -- Thirty are guessed for a number of one digit, which with its comma makes three octets.
    RETURN coalesce(digits, 0) > 10.0 * most OR octet_length(body::text) > most;
EXCEPTION
    WHEN statement_too_complex OR program_limit_exceeded THEN
        RETURN true;
END
$$
"""

# The message as it was sent: without our key, and not wrapped in an object, as what is none must be to carry our key.
SENT = """
CREATE FUNCTION bridge_sent(message jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    -- What takes so much room stored is too large to be read, whoever filled it, and is not unpacked to find that out.
    IF pg_column_size(message) > 67108864 THEN
        RETURN message;
    END IF;
    IF jsonb_typeof(message) IS DISTINCT FROM 'object' OR NOT message ? '_bridge' THEN
        RETURN message;
    END IF;
    IF message ? '_original' AND message - ARRAY['_bridge', '_original'] = '{}' THEN
        RETURN message -> '_original';
    END IF;
    RETURN message - '_bridge';
END
$$
"""

# What of a history may be believed, and is small: senders can write under our key as well.
KNOWN = """
CREATE FUNCTION bridge_known(raw jsonb) RETURNS jsonb
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
    FOREACH name IN ARRAY ARRAY['attempts', 'own_tries', 'original', 'requeued_from', 'requeued_as'] LOOP
        value := raw -> name;
        IF jsonb_typeof(value) = 'number' THEN
            IF scale(value::numeric) = 0 AND value::numeric BETWEEN 0 AND 9223372036854775807 THEN
                known := known || jsonb_build_object(name, value);
            END IF;
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY['trace_id', 'first_attempt_at', 'last_attempt_at', 'leased_until', 'next_retry_at',
                                'outcome', 'reason', 'finished_at', 'requeued_at'] LOOP
        value := raw -> name;
        IF jsonb_typeof(value) = 'string' AND pg_column_size(value) <= 300 THEN
            known := known || jsonb_build_object(name, value);
        END IF;
    END LOOP;
    IF jsonb_typeof(error -> 'type') = 'string' AND jsonb_typeof(error -> 'message') = 'string' THEN
        known := known || jsonb_build_object('last_error', jsonb_build_object(
            'type', left(error ->> 'type', 200), 'message', left(error ->> 'message', 2000)));
    END IF;
    RETURN known;
END
$$
"""

# Our history, whichever column carries it. pgmq 1.5 brought `headers`; what was written before stands in the message,
# and a process that began a statement before the update may write there once more. More progress wins.
HISTORY = """
CREATE FUNCTION bridge_history(message jsonb, headers jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- `->` looks into objects alone.
    above jsonb := bridge_known(headers -> 'bridge');
    within jsonb := bridge_known(message -> '_bridge');
BEGIN
    IF above IS NULL OR within IS NULL THEN
        RETURN coalesce(above, within);
    END IF;
    IF (within ? 'outcome', coalesce((within -> 'attempts')::bigint, 0))
     > (above ? 'outcome', coalesce((above -> 'attempts')::bigint, 0)) THEN
        RETURN within;
    END IF;
    RETURN above;
END
$$
"""

# The history with what a statement adds to it; null values remove their keys, and the first attempt keeps its time.
ADDED = """
CREATE FUNCTION bridge_added(history jsonb, patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF history ? 'first_attempt_at' THEN
        patch := patch - 'first_attempt_at';
    END IF;
    RETURN jsonb_strip_nulls(coalesce(history, '{}') || patch);
END
$$
"""

# A carrier with our history in it. It may hold anything that a sender put there: what is no object is kept under
# "_original". What fills jsonb's limit (256 MB) already has to go, or the message could never get an outcome.
CARRYING = """
CREATE FUNCTION bridge_carrying(carrier jsonb, key text, history jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF carrier IS NULL THEN
        RETURN jsonb_build_object(key, history);
    ELSIF jsonb_typeof(carrier) <> 'object' THEN
        carrier := jsonb_build_object('_original', carrier);
    END IF;
    RETURN carrier || jsonb_build_object(key, history);
EXCEPTION
    WHEN program_limit_exceeded THEN
        RETURN jsonb_build_object(key, history, '_dropped', 'larger than jsonb can be with our history');
END
$$
"""

# Whether the history goes into `headers`: both tables have the column, and pgmq's own function takes it to the archive.
HAS_HEADERS = """
CREATE FUNCTION bridge_has_headers(queue text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT 2 = (SELECT count(*) FROM pg_catalog.pg_attribute
                WHERE attrelid IN (to_regclass(format('pgmq.%I', 'q_' || queue)),
                                   to_regclass(format('pgmq.%I', 'a_' || queue)))
                  AND attname = 'headers' AND NOT attisdropped)
       AND EXISTS (SELECT FROM pg_catalog.pg_proc
                   WHERE oid = to_regprocedure('pgmq.archive(text, bigint)') AND strpos(prosrc, 'headers') > 0)
$$
"""

# Whether nothing that rights and row security say can keep us from moving a message to the archive. Under row security
# that is not known: its policies may allow it or not, and only trying tells.
MAY_ARCHIVE = """
CREATE FUNCTION bridge_may_archive(queue text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(has_table_privilege(q, 'SELECT') AND has_table_privilege(q, 'UPDATE')
                    AND has_table_privilege(q, 'DELETE') AND has_table_privilege(a, 'SELECT')
                    AND has_table_privilege(a, 'INSERT')
                    AND NOT row_security_active(q) AND NOT row_security_active(a), false)
    FROM (SELECT to_regclass(format('pgmq.%I', 'q_' || queue))::oid AS q,
                 to_regclass(format('pgmq.%I', 'a_' || queue))::oid AS a) AS tables
$$
"""


class Migration(migrations.Migration):
    dependencies = [("bridge", "0001_initial")]
    operations = [
        migrations.RunSQL(TOO_LARGE, "DROP FUNCTION bridge_too_large(jsonb, integer)"),
        migrations.RunSQL(SENT, "DROP FUNCTION bridge_sent(jsonb)"),
        migrations.RunSQL(KNOWN, "DROP FUNCTION bridge_known(jsonb)"),
        migrations.RunSQL(HISTORY, "DROP FUNCTION bridge_history(jsonb, jsonb)"),
        migrations.RunSQL(ADDED, "DROP FUNCTION bridge_added(jsonb, jsonb)"),
        migrations.RunSQL(CARRYING, "DROP FUNCTION bridge_carrying(jsonb, text, jsonb)"),
        migrations.RunSQL(HAS_HEADERS, "DROP FUNCTION bridge_has_headers(text)"),
        migrations.RunSQL(MAY_ARCHIVE, "DROP FUNCTION bridge_may_archive(text)"),
    ]
