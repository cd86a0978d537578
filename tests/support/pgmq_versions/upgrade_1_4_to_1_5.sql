-- What the extension's update scripts 1.4.5 and 1.5.0 do to queues that exist: the column, and the functions that know it.

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT queue_name FROM pgmq.meta LOOP
        EXECUTE format('ALTER TABLE pgmq.%I ADD COLUMN headers jsonb', 'q_' || lower(name));
        EXECUTE format('ALTER TABLE pgmq.%I ADD COLUMN headers jsonb', 'a_' || lower(name));
    END LOOP;
END
$$;

DROP FUNCTION pgmq.read(text, integer, integer);
DROP FUNCTION pgmq.set_vt(text, bigint, integer);
DROP TYPE pgmq.message_record;
CREATE TYPE pgmq.message_record AS (
    msg_id bigint,
    read_ct integer,
    enqueued_at timestamptz,
    vt timestamptz,
    message jsonb,
    headers jsonb
);

CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}')
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH due AS (SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1'
        ' FOR UPDATE SKIP LOCKED)'
        ' UPDATE pgmq.%1$I AS m SET vt = clock_timestamp() + make_interval(secs => $2), read_ct = read_ct + 1'
        ' FROM due WHERE m.msg_id = due.msg_id'
        ' RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers',
        'q_' || lower(queue_name)) USING qty, vt;
END
$$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers) VALUES ($3, $1, $2) RETURNING msg_id',
        'q_' || lower(queue_name)) USING msg, headers, delay;
END
$$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb) RETURNS SETOF bigint
LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, headers, clock_timestamp());
$$;

DROP FUNCTION pgmq.archive(text, bigint);
CREATE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format(
        'WITH archived AS (DELETE FROM pgmq.%I WHERE msg_id = $1'
        ' RETURNING msg_id, vt, read_ct, enqueued_at, message, headers)'
        ' INSERT INTO pgmq.%I (msg_id, vt, read_ct, enqueued_at, message, headers)'
        ' SELECT msg_id, vt, read_ct, enqueued_at, message, headers FROM archived RETURNING msg_id',
        'q_' || lower(queue_name), 'a_' || lower(queue_name)) USING msg_id INTO result;
    RETURN NOT (result IS NULL);
END
$$;

DROP FUNCTION pgmq.archive(text, bigint[]);
CREATE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH archived AS (DELETE FROM pgmq.%I WHERE msg_id = ANY ($1)'
        ' RETURNING msg_id, vt, read_ct, enqueued_at, message, headers)'
        ' INSERT INTO pgmq.%I (msg_id, vt, read_ct, enqueued_at, message, headers)'
        ' SELECT msg_id, vt, read_ct, enqueued_at, message, headers FROM archived RETURNING msg_id',
        'q_' || lower(queue_name), 'a_' || lower(queue_name)) USING msg_ids;
END
$$;
