-- pgmq as Supabase shipped it in 1.4.4, as far as anybody here may rely on it: no column `headers`, no `last_read_at`,
-- no notifications, `set_vt` and `archive` without a fence. Written from the documented behaviour of that version.

CREATE SCHEMA pgmq;

CREATE TABLE pgmq.meta (
    queue_name varchar UNIQUE NOT NULL,
    is_partitioned boolean NOT NULL,
    is_unlogged boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE pgmq.message_record AS (
    msg_id bigint,
    read_ct integer,
    enqueued_at timestamptz,
    vt timestamptz,
    message jsonb
);

CREATE TYPE pgmq.queue_record AS (
    queue_name varchar,
    is_partitioned boolean,
    is_unlogged boolean,
    created_at timestamptz
);

CREATE TYPE pgmq.metrics_result AS (
    queue_name text,
    queue_length bigint,
    newest_msg_age_sec int,
    oldest_msg_age_sec int,
    total_messages bigint,
    scrape_time timestamptz
);

CREATE FUNCTION pgmq.create(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    q text := 'q_' || lower(queue_name);
    a text := 'a_' || lower(queue_name);
BEGIN
    IF length(queue_name) > 47 OR queue_name ~ '\$|;|--|''' THEN
        RAISE EXCEPTION 'queue name is too long or has characters that are not allowed';
    END IF;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS pgmq.%I ('
        ' msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, read_ct int NOT NULL DEFAULT 0,'
        ' enqueued_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, message jsonb)', q);
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS pgmq.%I ('
        ' msg_id bigint PRIMARY KEY, read_ct int NOT NULL DEFAULT 0, enqueued_at timestamptz NOT NULL DEFAULT now(),'
        ' archived_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, message jsonb)', a);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I (vt ASC)', q || '_vt_idx', q);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I (archived_at)', 'archived_at_idx_' || lower(queue_name), a);
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (queue_name, false, false)
    ON CONFLICT DO NOTHING;
END
$$;

CREATE FUNCTION pgmq.drop_queue(queue_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I, pgmq.%I', 'q_' || lower(queue_name), 'a_' || lower(queue_name));
    DELETE FROM pgmq.meta AS m WHERE m.queue_name = drop_queue.queue_name;
    RETURN true;
END
$$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer DEFAULT 0) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message) VALUES (clock_timestamp() + make_interval(secs => $2), $1) RETURNING msg_id',
        'q_' || lower(queue_name)) USING msg, delay;
END
$$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer DEFAULT 0) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message) SELECT clock_timestamp() + make_interval(secs => $2), unnest($1)'
        ' RETURNING msg_id', 'q_' || lower(queue_name)) USING msgs, delay;
END
$$;

CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH due AS (SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1'
        ' FOR UPDATE SKIP LOCKED)'
        ' UPDATE pgmq.%1$I AS m SET vt = clock_timestamp() + make_interval(secs => $2), read_ct = read_ct + 1'
        ' FROM due WHERE m.msg_id = due.msg_id'
        ' RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message',
        'q_' || lower(queue_name)) USING qty, vt;
END
$$;

CREATE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH gone AS (DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, vt, read_ct, enqueued_at, message)'
        ' INSERT INTO pgmq.%I (msg_id, vt, read_ct, enqueued_at, message)'
        ' SELECT msg_id, vt, read_ct, enqueued_at, message FROM gone RETURNING msg_id',
        'q_' || lower(queue_name), 'a_' || lower(queue_name)) USING msg_ids;
END
$$;

CREATE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE sql AS $$
    SELECT count(*) > 0 FROM pgmq.archive(queue_name, ARRAY[msg_id])
$$;

CREATE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id',
        'q_' || lower(queue_name)) USING msg_ids;
END
$$;

CREATE FUNCTION pgmq.delete(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE sql AS $$
    SELECT count(*) > 0 FROM pgmq.delete(queue_name, ARRAY[msg_id])
$$;

CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I SET vt = clock_timestamp() + make_interval(secs => $2) WHERE msg_id = $1'
        ' RETURNING msg_id, read_ct, enqueued_at, vt, message', 'q_' || lower(queue_name)) USING msg_id, vt;
END
$$;

CREATE FUNCTION pgmq.purge_queue(queue_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    deleted bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I', 'q_' || lower(queue_name));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

CREATE FUNCTION pgmq.list_queues() RETURNS SETOF pgmq.queue_record
LANGUAGE sql AS $$
    SELECT queue_name, is_partitioned, is_unlogged, created_at FROM pgmq.meta
$$;

CREATE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result
LANGUAGE plpgsql AS $$
DECLARE
    result pgmq.metrics_result;
BEGIN
    EXECUTE format(
        'SELECT $1, count(*), extract(epoch FROM now() - max(enqueued_at))::int,'
        ' extract(epoch FROM now() - min(enqueued_at))::int, coalesce(max(msg_id), 0), now() FROM pgmq.%I',
        'q_' || lower(queue_name)) USING queue_name INTO result;
    RETURN result;
END
$$;

CREATE FUNCTION pgmq.metrics_all() RETURNS SETOF pgmq.metrics_result
LANGUAGE sql AS $$
    SELECT (pgmq.metrics(queue_name)).* FROM pgmq.meta
$$;
