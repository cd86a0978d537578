-- What operators do to messages, many at once. Placeholders are those of `queries.sql`, and these:
--   {standing}          what the bridge wrote on an archived message, unread: quick, for a million of them
--   {open}              whether that says that it failed, and that nobody put it back or discarded it since
--   {discarded}         whether it says that it failed and was discarded
--   {state}             what a message of the queue is waiting for, one of `MessageState`
-- A row is locked by one statement and changed by the next one, which sees it as it is by then: a condition that is
-- looked at again after waiting for a lock would have to be written with great care.

-- name: rest_of_rollup
-- How many messages of the archive the roll-up does not have yet, counted up to `limit`.
WITH {fresh} SELECT count(*) FROM fresh

-- name: open_ids
-- A page of failed messages that are open, oldest first: rolled up, and not yet.
WITH {fresh}, both_kinds AS ({failures})
SELECT msg_id, error_type, error
FROM both_kinds
WHERE msg_id > %(after)s
ORDER BY msg_id
LIMIT %(most)s

-- name: open_ids_in_archive
-- The same from the archive alone, which is looked through: for what the roll-up does not have yet.
SELECT msg_id, raw #>> '{{last_error,type}}', left(raw #>> '{{last_error,message}}', 2000)
FROM (
    SELECT q.msg_id, {standing} AS raw
    FROM {archive} AS q, {absent}
    WHERE q.msg_id > %(after)s
      AND (%(ids)s::bigint[] IS NULL OR q.msg_id = ANY (%(ids)s::bigint[]))
      AND (%(since)s::timestamptz IS NULL OR q.archived_at >= %(since)s::timestamptz)
      AND (%(until)s::timestamptz IS NULL OR q.archived_at <= %(until)s::timestamptz)
    OFFSET 0
) AS archived
WHERE raw -> 'outcome' = '"failed"'
  AND NOT raw ?| ARRAY['requeued_as', 'discarded_at']
  AND (%(ids)s::bigint[] IS NOT NULL AND %(reason)s IS NULL
       OR raw -> 'reason' = to_jsonb(%(reason)s::text)
       OR %(reason)s IS NULL AND raw -> 'reason' IS DISTINCT FROM '"refused"')
  AND NOT coalesce(raw ->> 'reason' = ANY (%(hopeless)s::text[]), false)
  AND (%(error_type)s IS NULL OR raw #> '{{last_error,type}}' = to_jsonb(%(error_type)s::text))
  AND (%(trace_id)s IS NULL OR raw -> 'trace_id' = to_jsonb(%(trace_id)s::text))
  AND (%(pattern)s IS NULL OR bridge_pattern(coalesce(raw #>> '{{last_error,message}}', '')) = %(pattern)s)
ORDER BY msg_id
LIMIT %(most)s

-- name: lock_archive
-- Those of the messages that nobody else has in hand.
SELECT msg_id FROM {archive} WHERE msg_id = ANY (%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED

-- name: wait_for_archive
-- The same, but for whoever has them now.
SET LOCAL lock_timeout TO '10s';
SELECT msg_id FROM {archive} WHERE msg_id = ANY (%(ids)s::bigint[]) ORDER BY msg_id FOR UPDATE

-- name: requeue_with_headers
-- Sends locked archived messages again, oldest first, and notes it on them. Postgres copies the body: not all jsonb
-- survives a way through Python. With a `rate`, the one that is sent as number n waits for n / rate seconds.
WITH sent AS MATERIALIZED (
    SELECT msg_id, pgmq.send(%(name)s, body, headers, clock_timestamp() + make_interval(secs => delay)) AS new_id
    FROM (
        SELECT q.msg_id,
               coalesce(bridge_sent(q.message), 'null') AS body,
               CASE WHEN jsonb_typeof(q.headers) = 'object' THEN q.headers ELSE '{{}}' END
                   || jsonb_build_object('bridge', jsonb_build_object('requeued_from', q.msg_id)) AS headers,
               coalesce((%(nth)s + row_number() OVER (ORDER BY q.msg_id) - 1) / %(rate)s::float8, 0) AS delay
        FROM {archive} AS q, {absent}
        WHERE q.msg_id = ANY (%(ids)s::bigint[]) AND {current} AND ({open} OR %(even_discarded)s AND {discarded})
        ORDER BY q.msg_id
        OFFSET 0
    ) AS chosen
)
UPDATE {archive} AS q
SET {written}
FROM {absent}, sent, LATERAL (
    SELECT jsonb_build_object('requeued_as', sent.new_id, 'requeued_at', clock_timestamp(), 'acted_by', %(act)s::bigint)
    AS patch) AS patches
WHERE q.msg_id = sent.msg_id
RETURNING q.msg_id, sent.new_id

-- name: requeue_without_headers
-- The same where our history lives in the message. What is no object stands under "_original" there; it cannot
-- carry a link, and fails again in any case, with the same readable reason.
WITH sent AS MATERIALIZED (
    SELECT msg_id,
           pgmq.send(
               %(name)s,
               CASE WHEN jsonb_typeof(body) = 'object'
                    THEN body || jsonb_build_object('_bridge', jsonb_build_object('requeued_from', msg_id))
                    ELSE coalesce(body, 'null') END,
               delay) AS new_id
    FROM (
        SELECT q.msg_id,
               bridge_sent(q.message) AS body,
               coalesce(floor((%(nth)s + row_number() OVER (ORDER BY q.msg_id) - 1) / %(rate)s::float8), 0)::integer AS delay
        FROM {archive} AS q, {absent}
        WHERE q.msg_id = ANY (%(ids)s::bigint[]) AND {current} AND ({open} OR %(even_discarded)s AND {discarded})
        ORDER BY q.msg_id
        OFFSET 0
    ) AS chosen
)
UPDATE {archive} AS q
SET {written}
FROM {absent}, sent, LATERAL (
    SELECT jsonb_build_object('requeued_as', sent.new_id, 'requeued_at', clock_timestamp(), 'acted_by', %(act)s::bigint)
    AS patch) AS patches
WHERE q.msg_id = sent.msg_id
RETURNING q.msg_id, sent.new_id

-- name: discard_archived
-- Notes on locked failed messages that they are dealt with.
UPDATE {archive} AS q
SET {written}
FROM {absent}, jsonb_build_object('discarded_at', clock_timestamp(), 'acted_by', %(act)s::bigint) AS patch
WHERE q.msg_id = ANY (%(ids)s::bigint[]) AND {current} AND {open}
RETURNING q.msg_id, q.enqueued_at

-- name: note_requeued
UPDATE bridge_failedmessage AS failed SET requeued_as = pair.new
FROM unnest(%(olds)s::bigint[], %(news)s::bigint[]) AS pair (old, new)
WHERE failed.queue = %(name)s AND failed.msg_id = pair.old

-- name: note_discarded
UPDATE bridge_failedmessage SET discarded_at = statement_timestamp()
WHERE queue = %(name)s AND msg_id = ANY (%(ids)s::bigint[])

-- name: standings
-- How messages stand that nothing was done to: in the queue, or in the archive with what is written on them.
SELECT asked.msg_id,
       waiting.msg_id IS NOT NULL,
       q.msg_id IS NOT NULL,
       left(raw ->> 'outcome', 20),
       left(raw ->> 'requeued_as', 20),
       coalesce(raw ? 'discarded_at', false)
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS asked (msg_id, number)
LEFT JOIN {queue} AS waiting ON waiting.msg_id = asked.msg_id
LEFT JOIN LATERAL (
    SELECT q.msg_id, {standing} AS raw FROM {archive} AS q, {absent} WHERE q.msg_id = asked.msg_id
) AS q ON true
ORDER BY asked.number

-- name: lock_queue
-- Those of the messages that nobody else has in hand, how they stand, and whether their outcome waits to be written.
-- The limit of time is for the row of a claim that is being written.
SELECT q.msg_id, q.vt, {state},
    EXISTS (SELECT FROM bridge_keptoutcome AS kept
            WHERE kept.queue = %(name)s AND kept.msg_id = q.msg_id AND kept.enqueued_at = q.enqueued_at)
FROM {queue} AS q, {absent}
WHERE q.msg_id = ANY (%(ids)s::bigint[])
FOR UPDATE OF q SKIP LOCKED

-- name: hasten
-- Lets messages that wait for a repeat be due at once, and wakes the bridge, which sleeps until then.
WITH due AS (
    UPDATE {queue} AS q
    SET vt = statement_timestamp(), {written}
    FROM {absent}, unnest(%(ids)s::bigint[], %(vts)s::timestamptz[]) AS token (msg_id, vt),
        jsonb_build_object('next_retry_at', statement_timestamp()) AS patch
    WHERE q.msg_id = token.msg_id AND q.vt = token.vt AND {current}
    RETURNING q.msg_id
)
SELECT msg_id, pg_notify('balansity_bridge', %(name)s) FROM due

-- name: waiting_for_repeat
-- A page of messages that wait for a repeat, by id, with the error that they failed with last.
SELECT q.msg_id, {history} #>> '{{last_error,type}}', {history} #>> '{{last_error,message}}', {history} ->> 'trace_id'
FROM {queue} AS q, {absent}
WHERE q.msg_id > %(after)s AND q.vt > now() AND q.read_ct > 0 AND {state} = 'retrying'
ORDER BY q.msg_id
LIMIT %(limit)s

-- name: discard_queued
-- Ends messages that wait, as failed; `archive_all` moves them. Their rows are locked.
UPDATE {queue} AS q
SET {written}
FROM {absent}, unnest(%(ids)s::bigint[], %(vts)s::timestamptz[]) AS token (msg_id, vt),
    jsonb_build_object(
        'outcome', 'failed',
        'reason', 'discarded',
        'last_error', %(error)s::jsonb,
        'leased_until', NULL,
        'next_retry_at', NULL,
        'discarded_at', clock_timestamp(),
        'acted_by', %(act)s::bigint,
        'finished_at', statement_timestamp()) AS patch
WHERE q.msg_id = token.msg_id AND q.vt = token.vt AND {current}
RETURNING q.msg_id

-- name: load_archived
-- An archived message; the body is NULL when it is too large to be read, or was not asked for.
SELECT q.msg_id, q.vt, q.read_ct, q.enqueued_at,
       CASE WHEN %(body)s AND NOT bridge_too_large(bridge_sent(q.message), {most})
            THEN coalesce(bridge_sent(q.message), 'null') END,
       {history}
FROM {archive} AS q, {absent}
WHERE q.msg_id = %(msg_id)s
