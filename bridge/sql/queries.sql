-- Every statement that touches pgmq. Placeholders in braces are filled in for each queue:
--   {queue}, {archive}  the tables pgmq.q_<name> and pgmq.a_<name>; a statement calls the one that it is about q
--   {absent}, {headers} the column headers of q, and NULL where q has none: a name that the inner query does not know is
--                       looked for outside, where {absent} offers one. Postgres decides it for each statement anew, so
--                       pgmq may be upgraded between any two of them. No statement reads another way.
--   {history}           our history on q, from either carrier (bridge_history)
--   {written}           the assignments that write the history with `patch` added to it, into the current carrier
--   {priority}          that of q, as its sender gave it; the lowest for what is no usable message
--   {current}           whether the carrier that this statement writes to is still the current one. No row is then
--                       changed, and the caller looks at the queue anew.
--   {holds}             what holds this queue (bridge_queuehold, in force), as hold. For a process that knows no such table,
--                       nothing does until there is one, and then something does, so that it looks anew.
--   {held}              whether any of those keeps this message from being started
--   {stored}            how many octets a message may take as it is stored, to be looked into by the thousands
--   {body}              the beginning of a body as people read it, `characters` at most; NULL: not asked for, or too large
--   {most}              how many octets a message may have as text, our history apart: no larger one leaves Postgres
-- Columns are always named: their order differs between the versions of pgmq.

-- name: has_headers
SELECT lower(%(name)s), to_regclass(format('pgmq.%%I', lower('q_' || %(name)s))) IS NOT NULL,
       bridge_has_headers(lower(%(name)s)), to_regclass('bridge_queuehold') IS NOT NULL

-- name: read
-- Takes at most `limit` due messages under a lease of `lease` seconds: of those in `ids`, or of all when that is NULL.
-- Of a queue that is held, none, but for the one that is let through, and asked for alone.
-- pgmq.read compares vt with clock_timestamp(), which is volatile and keeps the index on vt from being used; now() is
-- the start of this short transaction. Ordered by vt alone, as a second column would sort all rows of one send_batch.
-- The commit may be flushed late: lost in a crash of Postgres, it leaves the message as it was before, to be read again,
-- and the task that was made of it with a token that opens nothing.
SET LOCAL synchronous_commit TO off;
WITH due AS (
    SELECT msg_id
    FROM {queue}
    WHERE vt <= now() AND (%(ids)s::bigint[] IS NULL OR msg_id = ANY (%(ids)s::bigint[]))
      AND NOT EXISTS (
          SELECT FROM {holds} WHERE NOT coalesce(%(ids)s::bigint[] = ARRAY[hold.let_through], false))
    ORDER BY vt
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE {queue} AS q
SET vt = clock_timestamp() + make_interval(secs => %(lease)s),
    read_ct = q.read_ct + 1
FROM due, {absent}
WHERE q.msg_id = due.msg_id
RETURNING q.msg_id, q.vt, q.read_ct,
    CASE WHEN bridge_too_large(bridge_sent(q.message), {most}) THEN 'too_large'
         ELSE coalesce(jsonb_typeof(bridge_sent(q.message)), 'null') END,
    {history},
    {priority},
    EXISTS (SELECT FROM bridge_keptoutcome AS kept
            WHERE kept.queue = %(name)s AND kept.msg_id = q.msg_id AND kept.enqueued_at = q.enqueued_at)

-- name: ahead
-- What is due, in the order in which it is to be read: by priority, then by time; what is no usable message comes last.
-- Looks at no more than `depth` messages, and at none of a queue that is held. With `octets`, what a screen is shown: whether the message was tried before,
-- and its body, if that has no more octets as text.
-- An attempt that was counted was read before: more of them than reads are somebody else's claim.
SELECT q.msg_id, q.vt, due.priority, q.enqueued_at,
       CASE WHEN %(octets)s = 0 OR pg_column_size(q.message) > 4 * {most} THEN NULL
            WHEN pg_column_size(q.message) > {stored} THEN q.read_ct = 0
            ELSE NOT coalesce(({history} -> 'attempts')::numeric BETWEEN 1 AND q.read_ct, false) END,
       CASE WHEN %(octets)s = 0 OR pg_column_size(q.message) > %(octets)s THEN NULL
            WHEN NOT bridge_too_large(bridge_sent(q.message), %(octets)s) THEN bridge_sent(q.message)::text END
FROM (
    SELECT q.msg_id, q.vt, {priority} AS priority
    FROM (SELECT msg_id, vt, message FROM {queue} WHERE vt <= now() AND NOT EXISTS (SELECT FROM {holds})
          ORDER BY vt LIMIT %(depth)s) AS q
    ORDER BY priority DESC, vt
    LIMIT %(limit)s
) AS due JOIN {queue} AS q USING (msg_id), {absent}
ORDER BY due.priority DESC, due.vt

-- name: candidate
-- The message that is let through to see whether a service works: of those that wait longest one with the most attempts
-- left, and one that was `tried` before only when there is no other. What can only be archived tells nothing.
SELECT msg_id, attempts::bigint
FROM (
    SELECT q.msg_id, q.vt, coalesce(({history} -> 'attempts')::numeric, 0) AS attempts
    FROM (SELECT * FROM {queue} WHERE vt <= now() ORDER BY vt LIMIT 1000) AS q, {absent}
    WHERE {priority} > -2147483648
) AS waiting
WHERE attempts < %(most_attempts)s
ORDER BY msg_id = ANY (%(tried)s::bigint[]), attempts, vt
LIMIT 1

-- name: standing
-- How many attempts of a message were counted, and whether one of them runs.
SELECT coalesce(({history} -> 'attempts')::numeric, 0)::bigint, coalesce({history} ? 'leased_until', false)
FROM {queue} AS q, {absent} WHERE q.msg_id = %(msg_id)s

-- name: refuse
-- Archives, all at once, messages that nobody has taken since they were looked at.
WITH free AS (
    SELECT q.msg_id, verdict.ending
    FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[], %(endings)s::jsonb[]) AS verdict (msg_id, vt, ending)
    JOIN {queue} AS q ON q.msg_id = verdict.msg_id AND q.vt = verdict.vt
    FOR UPDATE OF q SKIP LOCKED
)
UPDATE {queue} AS q
SET {written}
FROM {absent}, free, LATERAL (
    SELECT free.ending || jsonb_build_object('finished_at', statement_timestamp()) AS patch) AS patches
WHERE q.msg_id = free.msg_id AND {current}
RETURNING q.msg_id

-- name: postpone
-- Hides messages that nobody has taken since they were looked at. No attempt and no read is counted.
UPDATE {queue} AS q
SET vt = clock_timestamp() + make_interval(secs => free.delay)
FROM (
    SELECT q.msg_id, verdict.delay
    FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[], %(delays)s::float8[]) AS verdict (msg_id, vt, delay)
    JOIN {queue} AS q ON q.msg_id = verdict.msg_id AND q.vt = verdict.vt
    FOR UPDATE OF q SKIP LOCKED
) AS free
WHERE q.msg_id = free.msg_id
RETURNING q.msg_id

-- name: is_ours
-- The condition of what is written in the name of a message, amid the statements of its outcome.
EXISTS (SELECT FROM {queue} AS q WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current})

-- name: archive_all
SELECT pgmq.archive(%(name)s, %(msg_ids)s::bigint[])

-- name: holds
-- Whether the token still opens the message, which is then locked: for what is written elsewhere in its name.
SET LOCAL lock_timeout TO '2s';
SELECT q.enqueued_at FROM {queue} AS q WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s FOR UPDATE

-- name: load
-- The body is NULL when it is too large to be read.
SELECT q.msg_id, q.vt, q.read_ct, q.enqueued_at,
       CASE WHEN NOT bridge_too_large(bridge_sent(q.message), {most}) THEN coalesce(bridge_sent(q.message), 'null') END,
       {history}
FROM {queue} AS q, {absent}
WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s

-- name: load_unread
-- The same without a look at the body.
SELECT q.msg_id, q.vt, q.read_ct, q.enqueued_at, NULL, {history}
FROM {queue} AS q, {absent}
WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s

-- name: claim
-- Starts an attempt: takes the run lease and counts the attempt, if the token still opens the message, if nothing holds
-- the queue, and if the rights to write its outcome are there: without them the effect would happen, and happen again.
-- The token must change: were the new vt by chance the old one, a second copy of the task could claim too, so such a
-- claim fails and the message is delivered again later.
-- The commit may be flushed late: lost in a crash of Postgres, it leaves the message leased to this very token, the
-- outcome is refused and the attempt repeated, as after any death between start and outcome.
SET LOCAL synchronous_commit TO off;
UPDATE {queue} AS q
SET vt = statement_timestamp() + make_interval(secs => %(lease)s),
    {written}
FROM {absent}, jsonb_build_object(
        'attempts', %(attempts)s::int,
        'trace_id', %(trace_id)s::text,
        'first_attempt_at', statement_timestamp(),
        'last_attempt_at', statement_timestamp(),
        'leased_until', statement_timestamp() + make_interval(secs => %(lease)s),
        'worker', %(worker)s::text,
        'next_retry_at', NULL,
        'own_tries', NULL,
        'outcome', NULL,
        'reason', NULL,
        'finished_at', NULL) AS patch
WHERE q.msg_id = %(msg_id)s
  AND q.vt = %(vt)s
  AND q.vt <> statement_timestamp() + make_interval(secs => %(lease)s)
  AND {current}
  AND NOT {held}
  AND bridge_may_archive(%(name)s)
RETURNING q.msg_id, q.vt, q.read_ct, q.enqueued_at,
    CASE WHEN NOT bridge_too_large(bridge_sent(q.message), {most}) THEN coalesce(bridge_sent(q.message), 'null') END,
    {history}

-- name: hand_back
-- Of a message that could not be claimed: whether its token opened it still, which the queue's holds alone explain, so
-- that it is visible again and its read not counted; and whether the rights are there, without which it stays leased.
WITH back AS (
    UPDATE {queue} AS q
    SET vt = clock_timestamp(), read_ct = greatest(q.read_ct - 1, 0)
    WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND bridge_may_archive(%(name)s)
    RETURNING q.msg_id
)
SELECT EXISTS (SELECT FROM back), bridge_may_archive(%(name)s)

-- name: retry
-- Ends an attempt that is to be repeated: notes the error and hides the message for `delay` seconds. The notification
-- lets a sleeping bridge learn the new time: it went to sleep when the message was leased for much longer.
WITH hidden AS (
    UPDATE {queue} AS q
    SET vt = statement_timestamp() + make_interval(secs => %(delay)s),
        {written}
    FROM {absent}, jsonb_build_object(
            'last_error', %(last_error)s::jsonb,
            'seconds', %(seconds)s::numeric,
            'leased_until', NULL,
            'next_retry_at', statement_timestamp() + make_interval(secs => %(delay)s)) AS patch
    WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current}
    RETURNING q.vt
)
SELECT vt, pg_notify('balansity_bridge', %(name)s) FROM hidden

-- name: put_back
-- Ends an attempt that has done nothing, as the turn of the message comes later: it is hidden for `delay` seconds, and
-- the attempt does not count. The notification is for the same reason as that of a retry.
WITH hidden AS (
    UPDATE {queue} AS q
    SET vt = statement_timestamp() + make_interval(secs => %(delay)s),
        {written}
    FROM {absent}, jsonb_build_object(
            'attempts', %(attempts)s,
            'leased_until', NULL,
            'next_retry_at', statement_timestamp() + make_interval(secs => %(delay)s)) AS patch
    WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current}
    RETURNING q.vt
)
SELECT vt, pg_notify('balansity_bridge', %(name)s) FROM hidden

-- name: finish
-- Writes the outcome and moves the message to the archive. pgmq.archive looks at the id alone, so the token is checked
-- by the update, whose row lock then keeps everybody else away until the commit. A lock on the archive must not hold it
-- until the hard time limit: the effect would be repeated. `/* rows */`: where a statement of the handler's may stand.
-- Together with the claim of the next message it is `finish_and_claim` (statements.py).
SET LOCAL lock_timeout TO '2s';
UPDATE {queue} AS q
SET {written}
FROM {absent}, jsonb_build_object(
        'outcome', %(outcome)s::text,
        'reason', %(reason)s::text,
        'last_error', %(last_error)s::jsonb,
        'original', %(original)s::bigint,
        'trace_id', %(trace_id)s::text,
        'seconds', %(seconds)s::numeric,
        'leased_until', NULL,
        'next_retry_at', NULL,
        'finished_at', statement_timestamp()) AS patch
WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current};
/* rows */
SELECT pgmq.archive(%(name)s, q.msg_id) FROM {queue} AS q
WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current}

-- name: take_together
-- Locks messages that are run together, until the end of the transaction, as their tokens open them: those alone that
-- were read once and never begun. One that was read before may have ended a worker, amid others that it took along. In a
-- queue that is held, and without the rights to write outcomes, there is none: whoever claims them one by one is told why.
-- What another transaction holds is not waited for, so that two that want the same messages cannot wait for each other.
SELECT q.msg_id, q.vt, q.read_ct, q.enqueued_at,
       CASE WHEN NOT bridge_too_large(bridge_sent(q.message), {most}) THEN coalesce(bridge_sent(q.message), 'null') END,
       past.history, statement_timestamp()
FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[]) AS token (msg_id, vt),
    -- Each is looked up by its id, whatever Postgres believes of the size of the table.
    LATERAL (SELECT * FROM {queue} AS this WHERE this.msg_id = token.msg_id AND this.vt = token.vt AND this.read_ct = 1
             FOR UPDATE SKIP LOCKED) AS q, {absent},
    LATERAL (SELECT {history} AS history OFFSET 0) AS past
WHERE NOT coalesce(past.history ? 'attempts', false)
  AND NOT EXISTS (SELECT FROM {holds})
  AND bridge_may_archive(%(name)s)

-- name: finish_together
-- Writes that these messages were done, each at its first attempt, and moves them to the archive: those whose tokens open
-- them still, which `take_together` has seen to. What `claim` and `finish` would have written is written at once.
SET LOCAL lock_timeout TO '2s';
UPDATE {queue} AS q
SET {written}
FROM {absent}, unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[], %(trace_ids)s::text[], %(begun)s::timestamptz[],
                      %(seconds)s::numeric[]) AS done (msg_id, vt, trace_id, begun, seconds),
    LATERAL (SELECT jsonb_build_object(
        'attempts', 1,
        'trace_id', done.trace_id,
        'first_attempt_at', done.begun,
        'last_attempt_at', done.begun,
        'outcome', 'succeeded',
        'finished_at', done.begun + make_interval(secs => done.seconds::float8),
        'own_tries', NULL,
        'tries', jsonb_build_array(jsonb_build_object(
            'number', 1, 'started_at', done.begun, 'seconds', done.seconds, 'worker', left(%(worker)s, 100)))) AS patch
    OFFSET 0) AS patches
WHERE q.msg_id = ANY (%(msg_ids)s::bigint[]) AND q.msg_id = done.msg_id AND q.vt = done.vt AND {current};
SELECT pgmq.archive(%(name)s, array(
    SELECT q.msg_id FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[]) AS done (msg_id, vt)
    JOIN {queue} AS q ON q.msg_id = done.msg_id AND q.vt = done.vt
    WHERE q.msg_id = ANY (%(msg_ids)s::bigint[]) AND {current}))

-- name: is_held
SELECT EXISTS (SELECT FROM {holds})

-- name: note_own_try
-- Counts that the bridge itself sets to work on a message: what kills it then is given up as well.
UPDATE {queue} AS q
SET {written}
FROM {absent}, jsonb_build_object('own_tries', %(tries)s) AS patch
WHERE q.msg_id = %(msg_id)s AND q.vt = %(vt)s AND {current}
RETURNING q.msg_id

-- name: release
-- Hands back messages that were read and not started: visible at once, and the read is not counted, unless it shall be.
-- The notification is for the same reason as that of a retry.
WITH back AS (
    UPDATE {queue} AS q
    SET vt = clock_timestamp(), read_ct = greatest(q.read_ct - CASE WHEN %(counted)s THEN 0 ELSE 1 END, 0)
    FROM unnest(%(msg_ids)s::bigint[], %(vts)s::timestamptz[]) AS token (msg_id, vt)
    WHERE q.msg_id = token.msg_id AND q.vt = token.vt
    RETURNING q.msg_id
)
SELECT msg_id, pg_notify('balansity_bridge', %(name)s) FROM back

-- name: unhide
-- Makes visible what somebody else has hidden: it was read, and is hidden for longer than any lease of ours and not until
-- the time that we wrote on it. What was sent with a delay was never read.
WITH hidden AS (
    SELECT q.msg_id, q.vt
    FROM {queue} AS q, {absent}
    WHERE q.vt > now() + make_interval(secs => %(longest)s)
      AND q.read_ct > 0
      AND NOT coalesce(to_jsonb(q.vt) IN ({history} -> 'next_retry_at', {history} -> 'leased_until'), false)
    LIMIT 1000
)
UPDATE {queue} AS q
SET vt = clock_timestamp()
FROM hidden
WHERE q.msg_id = hidden.msg_id AND q.vt = hidden.vt
RETURNING q.msg_id

-- name: outlook
-- Seconds until the next message turns visible (negative: it is already; NULL: there is none). Whether something holds
-- the queue, the one message that all holds let through, and the seconds until the last of them ends by itself.
SELECT (SELECT extract(epoch FROM vt - clock_timestamp())::float8 FROM {queue} ORDER BY vt LIMIT 1),
       count(*) > 0,
       CASE WHEN count(hold.let_through) = count(*) AND min(hold.let_through) = max(hold.let_through)
            THEN min(hold.let_through) END,
       CASE WHEN count(hold.until) = count(*)
            THEN extract(epoch FROM max(hold.until) - clock_timestamp())::float8 END
FROM {holds}

-- name: counts
-- The rows of a queue by what they wait for, and the age of the oldest visible one in seconds. Our writes store the vt
-- that they set: where it still stands, the row waits for that; a hidden row that was read and fits none is in line.
-- No more than `most` visible and `most` hidden ones are counted, and `looked` hidden ones looked into, those that are due
-- soonest. Beyond that the size of the table tells how many there are, the others are taken for the like of those, and
-- the oldest is looked for among those that are due longest or have the lowest ids.
WITH visible AS MATERIALIZED (
    SELECT count(*) AS number, min(enqueued_at) AS oldest
    FROM (SELECT enqueued_at FROM {queue} WHERE vt <= now() LIMIT %(most)s + 1) AS few
), hidden AS MATERIALIZED (
    SELECT count(*) AS number FROM (SELECT FROM {queue} WHERE vt > now() LIMIT %(most)s + 1) AS few
), looked AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE retrying) AS retrying,
           count(*) FILTER (WHERE NOT retrying AND running) AS running,
           count(*) FILTER (WHERE NOT retrying AND NOT running AND read_ct > 0) AS in_line,
           count(*) FILTER (WHERE NOT retrying AND NOT running AND read_ct = 0) AS delayed,
           count(*) AS number
    FROM (
        SELECT read_ct,
               coalesce(to_jsonb(vt) IN (above -> 'next_retry_at', within -> 'next_retry_at'), false) AS retrying,
               coalesce(to_jsonb(vt) IN (above -> 'leased_until', within -> 'leased_until'), false) AS running
        FROM (
            SELECT q.read_ct, q.vt,
                   {headers} -> 'bridge' AS above,
                   -- One that was read alone is looked into.
                   CASE WHEN q.read_ct > 0 THEN q.message -> '_bridge' END AS within
            FROM {queue} AS q, {absent}
            WHERE q.vt > now()
            ORDER BY q.vt
            LIMIT %(looked)s
        ) AS q
    ) AS q
), early AS (
    SELECT enqueued_at FROM (SELECT enqueued_at FROM {queue} WHERE vt <= now() ORDER BY vt LIMIT 1000) AS longest
    UNION ALL
    SELECT enqueued_at FROM (SELECT enqueued_at, vt FROM {queue} ORDER BY msg_id LIMIT 10000) AS lowest WHERE vt <= now()
), size AS (
    SELECT coalesce(sum(CASE WHEN c.reltuples > 0 AND c.relpages > 0
                             THEN c.reltuples / c.relpages * pg_relation_size(c.oid) / current_setting('block_size')::int
                        END), 0) AS rows
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = ANY (to_regclass(format('pgmq.%%I', lower('q_' || %(name)s)))::oid
                       || ARRAY(SELECT inhrelid FROM pg_catalog.pg_inherits
                                WHERE inhparent = to_regclass(format('pgmq.%%I', lower('q_' || %(name)s)))))
), whole AS (
    SELECT CASE WHEN visible.number <= %(most)s THEN visible.number
                ELSE greatest(visible.number, size.rows - CASE WHEN hidden.number <= %(most)s THEN hidden.number
                                                               ELSE size.rows / 2 END) END::bigint AS visible,
           CASE WHEN hidden.number <= %(most)s THEN hidden.number
                ELSE greatest(hidden.number, size.rows - CASE WHEN visible.number <= %(most)s THEN visible.number
                                                              ELSE size.rows / 2 END) END::bigint AS hidden
    FROM visible, hidden, size
)
SELECT whole.visible,
       looked.retrying * whole.hidden / greatest(looked.number, 1),
       looked.running * whole.hidden / greatest(looked.number, 1),
       looked.in_line * whole.hidden / greatest(looked.number, 1),
       looked.delayed * whole.hidden / greatest(looked.number, 1),
       extract(epoch FROM now() - CASE WHEN visible.number <= %(most)s THEN visible.oldest
                                       ELSE least(visible.oldest, (SELECT min(enqueued_at) FROM early)) END)::float8,
       visible.number > %(most)s OR hidden.number > looked.number
FROM visible, hidden, looked, whole

-- name: archived_since
-- How many messages were archived within the last `hours`, by outcome (NULL: by somebody else than the bridge), by
-- reason, and whether they were put back since.
SELECT CASE WHEN outcome IN ('"succeeded"', '"failed"', '"duplicate"') THEN outcome #>> '{{}}' END,
       CASE WHEN reason = '"refused"' THEN 'refused' END,
       requeued_as IS NOT NULL,
       count(*)
FROM (
    SELECT coalesce({headers} -> 'bridge' -> 'outcome', q.message -> '_bridge' -> 'outcome') AS outcome,
           coalesce({headers} -> 'bridge' -> 'reason', q.message -> '_bridge' -> 'reason') AS reason,
           coalesce({headers} -> 'bridge' -> 'requeued_as', q.message -> '_bridge' -> 'requeued_as') AS requeued_as
    FROM {archive} AS q, {absent}
    WHERE q.archived_at > now() - make_interval(hours => %(hours)s)
) AS q
GROUP BY 1, 2, 3

-- name: failures
-- The newest `limit` failed messages that nobody put back yet, by id and reason alone, among the `depth` newest of the
-- archive, or of its last `hours`; without them among all.
SELECT msg_id, raw ->> 'reason'
FROM (
    SELECT q.msg_id, coalesce({headers} -> 'bridge', q.message -> '_bridge') AS raw
    FROM {archive} AS q, {absent}
    WHERE %(hours)s::int IS NULL OR q.archived_at > now() - make_interval(hours => %(hours)s::int)
    ORDER BY q.msg_id DESC
    LIMIT %(depth)s::bigint
) AS archived
WHERE raw -> 'outcome' = '"failed"'
  AND NOT raw ?| ARRAY['requeued_as', 'discarded_at']
  AND coalesce(raw -> 'reason' = '"refused"', false) = %(refused)s
ORDER BY msg_id DESC
LIMIT %(limit)s

-- name: failed
-- A page of failed messages that nobody put back yet, oldest first. What our rules refuse is shown when asked for, or
-- named by `ids`.
-- Bodies are looked at for the page alone, and no more of them than is shown leaves Postgres.
SELECT q.msg_id, q.archived_at, {history}, {history} ->> 'reason',
    {body}
FROM (
    SELECT *
    FROM (
        SELECT q.*, coalesce({headers} -> 'bridge', q.message -> '_bridge') AS raw FROM {archive} AS q, {absent}
        WHERE q.msg_id > %(after)s
          AND (%(ids)s::bigint[] IS NULL OR q.msg_id = ANY (%(ids)s::bigint[]))
          AND (%(until)s::timestamptz IS NULL OR q.archived_at <= %(until)s::timestamptz)
        OFFSET 0
    ) AS archived
    WHERE raw -> 'outcome' = '"failed"'
      AND NOT raw ?| ARRAY['requeued_as', 'discarded_at']
      AND (%(ids)s::bigint[] IS NOT NULL
           OR raw -> 'reason' = to_jsonb(%(reason)s::text)
           OR %(reason)s IS NULL AND raw -> 'reason' IS DISTINCT FROM '"refused"')
    ORDER BY msg_id
    LIMIT %(limit)s
) AS q, {absent}
ORDER BY q.msg_id

-- name: archived_history
SELECT {history} FROM {archive} AS q, {absent} WHERE q.msg_id = %(msg_id)s

-- name: queued_among
SELECT msg_id FROM {queue} WHERE msg_id = ANY(%(msg_ids)s)

-- name: is_queued
SELECT EXISTS (SELECT FROM {queue} WHERE msg_id = %(msg_id)s)

-- name: send
SELECT pgmq.send(%(name)s, %(body)s::jsonb)

-- name: send_delayed
SELECT pgmq.send(%(name)s, %(body)s::jsonb, %(delay)s::integer)

-- name: send_with_headers
SELECT pgmq.send(%(name)s, %(body)s::jsonb, %(headers)s::jsonb)
