-- The statements of the roll-up. Placeholders as in queries.sql, and:
--   {fresh}     messages of the archive that are not in the roll-up yet, at most `limit`: by id, with what the bridge
--               wrote on them as `raw`, believed as far as `told` believes it
--   {told}      of each of `fresh` what is added up, with anything that a stranger may have written made harmless
--   {sums}      the columns that are added up, over `told`
--   {counted}   the ids that are in the roll-up, of the queue that there is now: ids start again when one is made anew
-- A queue is known by when it was made. Who archives a message may write any time on it, and `archived_at` is when a
-- transaction began, so only ids say what was counted.

-- name: rolled_queue
-- Locks the state of the roll-up, `made_at` of the queue that there is, and whether the archive is found by id.
SELECT rolled.made_at = meta.made_at,
       EXISTS (SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
                   ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = to_regclass(format('pgmq.%%I', lower('a_' || %(name)s))) AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'msg_id')
FROM bridge_rolledqueue AS rolled,
     (SELECT max(created_at) AS made_at FROM pgmq.meta WHERE lower(queue_name) = lower(%(name)s)) AS meta
WHERE rolled.queue = %(name)s
FOR UPDATE OF rolled SKIP LOCKED

-- name: begin_rolling
INSERT INTO bridge_rolledqueue (queue, made_at)
SELECT %(name)s, max(created_at) FROM pgmq.meta WHERE lower(queue_name) = lower(%(name)s) HAVING count(*) > 0
ON CONFLICT DO NOTHING

-- name: begin_rolling_anew
-- The queue was dropped and made anew: what failed in the old one is gone with its archive. Hours and totals stay.
DELETE FROM bridge_failedmessage WHERE queue = %(name)s;
UPDATE bridge_rolledqueue
SET made_at = (SELECT max(created_at) FROM pgmq.meta WHERE lower(queue_name) = lower(%(name)s)),
    counted = '{{}}', complete_at = NULL, sweep_below = NULL, sweep_after = NULL, sweep_at = NULL
WHERE queue = %(name)s

-- name: roll_up
-- One chunk, in one statement and so in one snapshot. Failed messages are locked, and read as whoever holds them leaves
-- them: one that is being put back is written down as put back.
WITH {fresh}, {told}, failed AS MATERIALIZED (
    SELECT q.msg_id, q.archived_at, {raw} AS raw
    FROM {archive} AS q, {absent}
    WHERE q.msg_id IN (SELECT msg_id FROM told WHERE outcome = 'failed')
    FOR SHARE OF q
), failures AS (
    INSERT INTO bridge_failedmessage
        (queue, msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts, requeued_as, discarded_at)
    SELECT %(name)s, msg_id, {failure}
    FROM failed
    ON CONFLICT DO NOTHING
), hours AS (
    INSERT INTO bridge_rolledhour AS kept
        (queue, hour, outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds)
    SELECT %(name)s, hour, outcome, reason, {sums} FROM told GROUP BY hour, outcome, reason
    ON CONFLICT (queue, hour, outcome, reason) DO UPDATE
    SET count = kept.count + excluded.count,
        attempts = kept.attempts + excluded.attempts,
        waiting = bridge_both(kept.waiting, excluded.waiting),
        waiting_seconds = kept.waiting_seconds + excluded.waiting_seconds,
        running = bridge_both(kept.running, excluded.running),
        running_seconds = kept.running_seconds + excluded.running_seconds
), totals AS (
    INSERT INTO bridge_rolledtotal AS kept
        (queue, outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds)
    SELECT %(name)s, outcome, reason, {sums} FROM told GROUP BY outcome, reason
    ON CONFLICT (queue, outcome, reason) DO UPDATE
    SET count = kept.count + excluded.count,
        attempts = kept.attempts + excluded.attempts,
        waiting = bridge_both(kept.waiting, excluded.waiting),
        waiting_seconds = kept.waiting_seconds + excluded.waiting_seconds,
        running = bridge_both(kept.running, excluded.running),
        running_seconds = kept.running_seconds + excluded.running_seconds
), taken AS (
    SELECT count(*) AS number, range_agg(int8range(msg_id, msg_id + 1)) AS ids FROM fresh
)
UPDATE bridge_rolledqueue AS rolled
SET counted = (rolled.counted::int8multirange + coalesce(taken.ids, '{{}}'))::text,
    rolled_at = statement_timestamp(),
    complete_at = CASE WHEN taken.number < %(limit)s THEN statement_timestamp() ELSE rolled.complete_at END
FROM taken
WHERE rolled.queue = %(name)s
RETURNING taken.number

-- name: day
-- What ended since the hour `hours` ago began, by hour, and how much of it was put back since: roll-up and rest as of the
-- same moment.
WITH {fresh}, {told}, since AS (
    SELECT date_trunc('hour', now() - make_interval(hours => %(hours)s), 'UTC') AS hour
)
SELECT hour, outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds
FROM bridge_rolledhour
WHERE queue = %(name)s AND hour >= (SELECT hour FROM since)
UNION ALL
SELECT hour, outcome, reason, {sums} FROM told WHERE hour >= (SELECT hour FROM since) GROUP BY hour, outcome, reason
UNION ALL
SELECT date_trunc('hour', archived_at, 'UTC'), 'put_back', reason, count(*), 0, '{{}}', 0, '{{}}', 0
FROM bridge_failedmessage
WHERE queue = %(name)s AND archived_at >= (SELECT hour FROM since) AND requeued_as IS NOT NULL
GROUP BY 1, 3
UNION ALL
SELECT hour, 'put_back', reason, count(*), 0, '{{}}', 0, '{{}}', 0
FROM told
WHERE hour >= (SELECT hour FROM since) AND put_back
GROUP BY hour, reason

-- name: ever
-- What ever ended: totals and rest as of the same moment.
WITH {fresh}, {told}
SELECT outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds
FROM bridge_rolledtotal
WHERE queue = %(name)s
UNION ALL
SELECT outcome, reason, {sums} FROM told GROUP BY outcome, reason

-- name: open_failures
-- The newest `limit` messages that failed and that nobody put back or discarded, before the id `before`: the rolled-up
-- and the rest as of the same moment. What our rules refuse is shown when `reason` asks for it.
WITH {fresh}, both_kinds AS ({failures})
SELECT msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts
FROM both_kinds
WHERE msg_id < coalesce(%(before)s, 9223372036854775807)
ORDER BY msg_id DESC
LIMIT %(most)s

-- name: failure_groups
-- The same, grouped by what failures of one cause have in common; the largest group first.
WITH {fresh}, both_kinds AS ({failures})
SELECT reason, error_type, pattern, count(*), min(archived_at), max(archived_at), max(msg_id)
FROM both_kinds
GROUP BY reason, error_type, pattern
ORDER BY count(*) DESC, max(archived_at) DESC, reason, error_type, pattern
LIMIT %(most)s

-- name: count_failures
-- How many of the same there are, counted no further than `most`.
WITH {fresh}, both_kinds AS ({failures})
SELECT count(*) FROM (SELECT FROM both_kinds LIMIT %(most)s) AS counted
