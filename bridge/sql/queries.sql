-- Every statement that touches pgmq. Placeholders in braces are identifiers, filled in once per queue:
--   {queue}, {archive}  the tables pgmq.q_<name> and pgmq.a_<name>
--   {carrier}           the column that carries our history: headers, or message where pgmq has no headers
--   {key}               the key in it: 'bridge', or '_bridge'
-- Columns are always named: their order differs between the versions of pgmq.

-- name: read
-- Takes at most `limit` due messages under a lease of `lease` seconds.
-- pgmq.read compares vt with clock_timestamp(), which is volatile and keeps the index on vt from being used; now() is
-- the start of this short transaction. Ordered by vt alone, as a second column would sort all rows of one send_batch.
WITH due AS (
    SELECT msg_id
    FROM {queue}
    WHERE vt <= now()
    ORDER BY vt
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE {queue} AS q
SET vt = clock_timestamp() + make_interval(secs => %(lease)s),
    read_ct = q.read_ct + 1
FROM due
WHERE q.msg_id = due.msg_id
RETURNING q.msg_id, q.vt, q.read_ct, coalesce(jsonb_typeof(q.message), 'null'), q.{carrier} -> {key}

-- name: load
SELECT msg_id, vt, read_ct, enqueued_at, message, {carrier} -> {key}
FROM {queue}
WHERE msg_id = %(msg_id)s AND vt = %(vt)s

-- name: claim
-- Starts an attempt: takes the run lease and counts the attempt, if the token still opens the message.
-- The token must change: were the new vt by chance the old one, a second copy of the task could claim too, so such a
-- claim fails and the message is delivered again later.
-- The commit may be flushed late: lost in a crash of Postgres, it leaves the message leased to this very token, the
-- outcome is refused and the attempt repeated, as after any death between start and outcome.
SET LOCAL synchronous_commit TO off;
UPDATE {queue}
SET vt = statement_timestamp() + make_interval(secs => %(lease)s),
    {carrier} = bridge_merge_history({carrier}, {key}, jsonb_build_object(
        'attempts', %(attempts)s,
        'trace_id', %(trace_id)s,
        'first_attempt_at', coalesce({carrier} -> {key} -> 'first_attempt_at', to_jsonb(statement_timestamp())),
        'last_attempt_at', statement_timestamp(),
        'leased_until', statement_timestamp() + make_interval(secs => %(lease)s),
        'next_retry_at', NULL))
WHERE msg_id = %(msg_id)s
  AND vt = %(vt)s
  AND vt <> statement_timestamp() + make_interval(secs => %(lease)s)
RETURNING msg_id, vt, read_ct, enqueued_at, message, {carrier} -> {key}

-- name: retry
-- Ends an attempt that is to be repeated: notes the error and hides the message for `delay` seconds. The notification
-- lets a sleeping bridge learn the new time: it went to sleep when the message was leased for much longer.
WITH hidden AS (
    UPDATE {queue}
    SET vt = statement_timestamp() + make_interval(secs => %(delay)s),
        {carrier} = bridge_merge_history({carrier}, {key}, jsonb_build_object(
            'last_error', %(last_error)s::jsonb,
            'leased_until', NULL,
            'next_retry_at', statement_timestamp() + make_interval(secs => %(delay)s)))
    WHERE msg_id = %(msg_id)s AND vt = %(vt)s
    RETURNING vt
)
SELECT vt, pg_notify('balansity_bridge', %(name)s) FROM hidden

-- name: finish
-- Writes the outcome and moves the message to the archive. pgmq.archive looks at the id alone, so the token is checked
-- by the update, whose row lock then keeps everybody else away until the commit.
UPDATE {queue}
SET {carrier} = bridge_merge_history({carrier}, {key}, jsonb_build_object(
        'outcome', %(outcome)s,
        'reason', %(reason)s,
        'last_error', %(last_error)s::jsonb,
        'original', %(original)s,
        'trace_id', %(trace_id)s,
        'leased_until', NULL,
        'next_retry_at', NULL,
        'finished_at', statement_timestamp()))
WHERE msg_id = %(msg_id)s AND vt = %(vt)s;
SELECT pgmq.archive(%(name)s, q.msg_id) FROM {queue} AS q WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s

-- name: release
-- Hands back messages that were read and not started: visible at once, and the read is not counted.
UPDATE {queue} AS q
SET vt = clock_timestamp(), read_ct = greatest(q.read_ct - 1, 0)
FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[]) AS token (msg_id, vt)
WHERE q.msg_id = token.msg_id AND q.vt = token.vt
RETURNING q.msg_id

-- name: next_due
-- Seconds until the next message turns visible (negative: it is already), no row for an empty queue.
SELECT extract(epoch FROM vt - clock_timestamp())::float8 FROM {queue} ORDER BY vt LIMIT 1

-- name: counts
-- The rows of a queue by what they wait for, and the age of the oldest visible one in seconds. Our writes store the vt
-- that they set: where it still stands, the row waits for that; a hidden row that was read and fits none is in line.
SELECT count(*) FILTER (WHERE visible),
       count(*) FILTER (WHERE NOT visible AND retrying),
       count(*) FILTER (WHERE NOT visible AND running),
       count(*) FILTER (WHERE NOT visible AND NOT retrying AND NOT running AND read_ct > 0),
       count(*) FILTER (WHERE NOT visible AND NOT retrying AND NOT running AND read_ct = 0),
       extract(epoch FROM now() - min(enqueued_at) FILTER (WHERE visible))::float8
FROM (
    SELECT read_ct, enqueued_at,
           vt <= now() AS visible,
           coalesce({carrier} -> {key} -> 'next_retry_at' = to_jsonb(vt), false) AS retrying,
           coalesce({carrier} -> {key} -> 'leased_until' = to_jsonb(vt), false) AS running
    FROM {queue}
) AS q

-- name: archived_since
-- How many messages were archived within the last `hours`, by outcome (NULL: by somebody else than the bridge).
SELECT {carrier} -> {key} ->> 'outcome', count(*)
FROM {archive}
WHERE archived_at > now() - make_interval(hours => %(hours)s)
GROUP BY 1

-- name: failed
-- A page of failed messages that nobody put back yet, oldest first.
SELECT msg_id, archived_at, {carrier} -> {key}, {carrier} -> {key} ->> 'reason', message
FROM {archive}
WHERE {carrier} -> {key} ->> 'outcome' = 'failed'
  AND NOT ({carrier} -> {key}) ? 'requeued_as'
  AND (%(reason)s IS NULL OR {carrier} -> {key} ->> 'reason' = %(reason)s)
  AND msg_id > %(after)s
ORDER BY msg_id
LIMIT %(limit)s

-- name: lock_archived
-- Locks an archived message, so that it is put back once however many people press the button.
SELECT message, {carrier}, {carrier} -> {key} FROM {archive} WHERE msg_id = %(msg_id)s FOR UPDATE

-- name: copy_with_headers
-- Sends an archived message again. Postgres copies the body: not all jsonb survives a way through Python.
SELECT pgmq.send(
    %(name)s,
    coalesce(message, 'null'),
    CASE WHEN jsonb_typeof(headers) = 'object' THEN headers ELSE '{{}}' END
        || jsonb_build_object({key}, jsonb_build_object('requeued_from', msg_id)))
FROM {archive}
WHERE msg_id = %(msg_id)s

-- name: copy_without_headers
-- The same where our history lives in the message. What is no object stands under "_original" there; it cannot
-- carry a link, and fails again in any case, with the same readable reason.
SELECT pgmq.send(
    %(name)s,
    CASE WHEN jsonb_typeof(body) = 'object'
         THEN body || jsonb_build_object({key}, jsonb_build_object('requeued_from', msg_id))
         ELSE body END)
FROM (
    SELECT msg_id,
           CASE WHEN message ? '_original' AND message - ARRAY[{key}, '_original'] = '{{}}'
                THEN message -> '_original'
                ELSE message - {key} END AS body
    FROM {archive}
    WHERE msg_id = %(msg_id)s
) AS original

-- name: mark_requeued
UPDATE {archive}
SET {carrier} = bridge_merge_history({carrier}, {key}, jsonb_build_object(
        'requeued_as', %(new_id)s, 'requeued_at', clock_timestamp()))
WHERE msg_id = %(msg_id)s

-- name: archived_history
SELECT {carrier} -> {key} FROM {archive} WHERE msg_id = %(msg_id)s

-- name: is_queued
SELECT EXISTS (SELECT FROM {queue} WHERE msg_id = %(msg_id)s)

-- name: prune
-- Deletes at most `limit` archived messages older than `days`: small transactions keep vacuum and replicas content.
DELETE FROM {archive}
WHERE msg_id IN (
    SELECT msg_id FROM {archive}
    WHERE archived_at < now() - make_interval(days => %(days)s)
    ORDER BY archived_at
    LIMIT %(limit)s
)

-- name: send
SELECT pgmq.send(%(name)s, %(body)s::jsonb)

-- name: send_with_headers
SELECT pgmq.send(%(name)s, %(body)s::jsonb, %(headers)s::jsonb)
