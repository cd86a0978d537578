-- What staff look at: pages of a queue and of its archive, and one message. Placeholders are those of `queries.sql`.
-- None of these counts a table, nor looks through more than `depth` rows of it, however many there are: whoever wants to
-- see further asks for what comes after. Our history is read with care for the rows alone that are shown, and OFFSET 0
-- keeps the planner from reading it on all rows first. A time of somebody else may be anything, infinity included.

-- name: tab_counts
-- How many rows of the queue are due, and how many the archive has, counted up to `most` and one more; and how many are in
-- each other state, among `depth` and one more that are hidden.
SELECT (SELECT count(*) FROM (SELECT FROM {queue} WHERE vt <= now() LIMIT %(most)s + 1) AS due),
       count(*) FILTER (WHERE state = 'retrying'),
       count(*) FILTER (WHERE state = 'running'),
       count(*) FILTER (WHERE state = 'in_line'),
       count(*) FILTER (WHERE state = 'delayed'),
       (SELECT count(*) FROM (SELECT FROM {archive} LIMIT %(most)s + 1) AS archived)
FROM (
    SELECT CASE WHEN to_jsonb(vt) = raw -> 'next_retry_at' THEN 'retrying'
                WHEN to_jsonb(vt) = raw -> 'leased_until' THEN 'running'
                WHEN read_ct > 0 THEN 'in_line' ELSE 'delayed' END AS state
    FROM (SELECT q.vt, q.read_ct, coalesce({headers} -> 'bridge', q.message -> '_bridge') AS raw
          FROM {queue} AS q, {absent} WHERE q.vt > now() LIMIT %(depth)s + 1) AS q
) AS hidden

-- name: in_state
-- A page of the queue's rows in one state, in the order in which they are due, after `after_vt` and `after`. Each row
-- comes with the last one that was looked at; that comes alone where none was found.
WITH keys AS MATERIALIZED (
    SELECT msg_id, vt FROM {queue}
    WHERE vt > CASE WHEN %(state)s = 'ready' THEN '-infinity' ELSE now() END
      AND vt <= CASE WHEN %(state)s = 'ready' THEN now() ELSE 'infinity' END
      AND (%(after_vt)s::timestamptz IS NULL OR (vt, msg_id) > (%(after_vt)s::timestamptz, %(after)s::bigint))
    ORDER BY vt, msg_id
    LIMIT %(depth)s
), page AS (
    SELECT msg_id
    FROM keys, LATERAL (
        SELECT q.read_ct, coalesce({headers} -> 'bridge', q.message -> '_bridge') AS raw
        FROM {queue} AS q, {absent} WHERE q.msg_id = keys.msg_id AND q.vt = keys.vt
        OFFSET 0
    ) AS looked
    WHERE (%(trace_id)s IS NULL OR raw -> 'trace_id' = to_jsonb(%(trace_id)s::text))
      AND (%(state)s = 'ready'
           OR %(state)s = CASE WHEN to_jsonb(vt) = raw -> 'next_retry_at' THEN 'retrying'
                               WHEN to_jsonb(vt) = raw -> 'leased_until' THEN 'running'
                               WHEN read_ct > 0 THEN 'in_line' ELSE 'delayed' END)
    ORDER BY vt, msg_id
    LIMIT %(limit)s
)
SELECT q.msg_id, q.vt, q.read_ct, q.enqueued_at, q.history, q.body, last.number,
       least(greatest(last.vt, '1970-01-01Z'), '2200-01-01Z'), last.msg_id
FROM (SELECT count(*) AS number, (array_agg(vt ORDER BY vt DESC, msg_id DESC))[1] AS vt,
             (array_agg(msg_id ORDER BY vt DESC, msg_id DESC))[1] AS msg_id FROM keys) AS last
LEFT JOIN (
    SELECT q.msg_id, least(greatest(q.vt, '1970-01-01Z'), '2200-01-01Z') AS vt, q.read_ct, least(greatest(q.enqueued_at, '1970-01-01Z'), '2200-01-01Z') AS enqueued_at,
           {history} AS history, {body} AS body
    FROM page JOIN {queue} AS q USING (msg_id), {absent}
) AS q ON true
ORDER BY q.vt, q.msg_id

-- name: archived_page
-- A page of the archive, the newest first, after the place `before_at`, `before`: by id, and where times are asked for by
-- the time of archiving, which has an index as well. `outcome` is one of ours, or `other` for what somebody else
-- archived. Each row comes with the last one that was looked at; that comes alone where none was found.
WITH keys AS MATERIALIZED (
    (SELECT msg_id, archived_at FROM {archive}
     WHERE NOT %(timed)s AND (%(before)s::bigint IS NULL OR msg_id < %(before)s::bigint)
     ORDER BY msg_id DESC
     LIMIT %(depth)s)
    UNION ALL
    (SELECT msg_id, archived_at FROM {archive}
     WHERE %(timed)s
       AND archived_at >= coalesce(%(since)s::timestamptz, '-infinity')
       AND archived_at < coalesce(%(until)s::timestamptz, 'infinity')
       AND (%(before)s::bigint IS NULL OR (archived_at, msg_id) < (%(before_at)s::timestamptz, %(before)s::bigint))
     ORDER BY archived_at DESC, msg_id DESC
     LIMIT %(depth)s)
), page AS (
    SELECT msg_id, archived_at
    FROM keys, LATERAL (
        SELECT coalesce({headers} -> 'bridge', q.message -> '_bridge') AS raw
        FROM {archive} AS q, {absent} WHERE q.msg_id = keys.msg_id
        OFFSET 0
    ) AS looked
    WHERE (%(outcome)s IS NULL OR raw -> 'outcome' = to_jsonb(%(outcome)s::text)
           OR %(outcome)s = 'other'
              AND NOT coalesce(raw -> 'outcome' IN ('"succeeded"', '"failed"', '"duplicate"'), false))
      AND (%(reason)s IS NULL OR raw -> 'reason' = to_jsonb(%(reason)s::text))
      AND (%(trace_id)s IS NULL OR raw -> 'trace_id' = to_jsonb(%(trace_id)s::text))
    ORDER BY CASE WHEN %(timed)s THEN archived_at END DESC, msg_id DESC
    LIMIT %(limit)s
)
SELECT q.msg_id, q.archived_at, q.read_ct, q.enqueued_at, q.history, q.body, last.number,
       least(greatest(last.archived_at, '1970-01-01Z'), '2200-01-01Z'), last.msg_id
FROM (SELECT count(*) AS number,
             (array_agg(archived_at ORDER BY archived_at, msg_id))[1] AS archived_at,
             CASE WHEN %(timed)s THEN (array_agg(msg_id ORDER BY archived_at, msg_id))[1] ELSE min(msg_id) END AS msg_id
      FROM keys) AS last
LEFT JOIN (
    SELECT q.msg_id, least(greatest(q.archived_at, '1970-01-01Z'), '2200-01-01Z') AS archived_at, q.read_ct,
           least(greatest(q.enqueued_at, '1970-01-01Z'), '2200-01-01Z') AS enqueued_at, {history} AS history, {body} AS body
    FROM page JOIN {archive} AS q USING (msg_id), {absent}
) AS q ON true
ORDER BY CASE WHEN %(timed)s THEN q.archived_at END DESC, q.msg_id DESC

-- name: queued_message
SELECT q.msg_id, least(greatest(q.vt, '1970-01-01Z'), '2200-01-01Z'), q.read_ct, least(greatest(q.enqueued_at, '1970-01-01Z'), '2200-01-01Z'),
       CASE WHEN q.vt <= clock_timestamp() THEN 'ready'
            WHEN to_jsonb(q.vt) = {history} -> 'next_retry_at' THEN 'retrying'
            WHEN to_jsonb(q.vt) = {history} -> 'leased_until' THEN 'running'
            WHEN q.read_ct > 0 THEN 'in_line' ELSE 'delayed' END,
       {history}, pg_column_size(q.message), {body},
       EXISTS (SELECT FROM bridge_keptoutcome AS kept
               WHERE kept.queue = %(name)s AND kept.msg_id = q.msg_id AND kept.enqueued_at = q.enqueued_at)
FROM {queue} AS q, {absent}
WHERE q.msg_id = %(msg_id)s

-- name: archived_message
SELECT q.msg_id, least(greatest(q.archived_at, '1970-01-01Z'), '2200-01-01Z'), q.read_ct,
       least(greatest(q.enqueued_at, '1970-01-01Z'), '2200-01-01Z'), NULL, {history}, pg_column_size(q.message), {body}, false
FROM {archive} AS q, {absent}
WHERE q.msg_id = %(msg_id)s

-- name: messages_about
-- Ids of messages whose body has this text under this key: of the queue's newest and of those archived first since then,
-- at most `depth` of each.
SELECT msg_id
FROM (
    (SELECT msg_id, message FROM {queue} ORDER BY msg_id DESC LIMIT %(depth)s)
    UNION ALL
    (SELECT msg_id, message FROM {archive} WHERE archived_at >= %(since)s ORDER BY archived_at LIMIT %(depth)s)
) AS q
WHERE pg_column_size(message) <= {stored} AND lower(message ->> %(key)s) = lower(%(value)s)
ORDER BY msg_id DESC
LIMIT %(limit)s

-- name: queued_with
-- Ids of messages of the queue, the newest first among its `depth` newest, whose body has at `path` one of these values,
-- or a text that contains each of `words`. All of them are in small letters.
SELECT msg_id
FROM (SELECT msg_id, message FROM {queue} ORDER BY msg_id DESC LIMIT %(depth)s) AS q,
     LATERAL (SELECT CASE WHEN pg_column_size(q.message) <= {stored} THEN lower(q.message #>> %(path)s::text[]) END) AS found (text)
WHERE found.text = ANY (%(values)s::text[])
   OR cardinality(%(words)s::text[]) > 0
      AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word WHERE coalesce(strpos(found.text, word), 0) = 0)
ORDER BY msg_id DESC
LIMIT %(limit)s
