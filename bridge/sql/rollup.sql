-- The statements of the roll-up. Placeholders as in queries.sql, and:
--   {fresh}     messages of the archive that are not in the roll-up yet, at most `limit`: by id, with what the bridge
--               wrote on them as `raw`, believed as far as `told` believes it
--   {told}      of each of `fresh` what is added up, with anything that a stranger may have written made harmless
--   {sums}      the columns that are added up, over `told`
--   {made_at}   when the queue was made that there is now, by which it is told from one of its name before: ids start again
--   {counted}   the ids that are in the roll-up, of the queue that there is now
-- Who archives a message may write any time on it, and `archived_at` is when a
-- transaction began, so only ids say what was counted.

-- name: rolled_queue
-- Locks the state of the roll-up; returns whether it is about the queue that there is now.
SELECT rolled.made_at = {made_at} FROM bridge_rolledqueue AS rolled WHERE rolled.queue = %(name)s
FOR UPDATE OF rolled SKIP LOCKED

-- name: begin_rolling
INSERT INTO bridge_rolledqueue (queue, made_at) SELECT %(name)s, {made_at} ON CONFLICT DO NOTHING

-- name: begin_rolling_anew
-- The queue was dropped and made anew: what failed in the old one is gone with its archive. Hours and totals stay.
DELETE FROM bridge_failedmessage WHERE queue = %(name)s;
UPDATE bridge_rolledqueue
SET made_at = {made_at}, counted = '{{}}', complete_at = NULL, sweep_below = NULL, sweep_after = NULL, sweep_at = NULL
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
-- What ended since the hour `hours` ago began, by hour, and what of that failed stands how now: open, put back or
-- discarded. What our rules refuse is counted by the hour alone, as strangers may have a million of that. Roll-up and rest
-- as of the same moment. Of the few messages of the rest it has the bucket that each one fell into, and not how many fell
-- into each (`false` at the end): to count by forty buckets takes longer to plan than all of the rest takes.
WITH {fresh}, {told}, since AS (
    SELECT date_trunc('hour', now() - make_interval(hours => %(hours)s), 'UTC') AS hour,
           now() - make_interval(hours => %(hours)s) AS moment
), failures AS (
    SELECT reason, requeued_as IS NOT NULL AS put_back, discarded_at IS NOT NULL AS discarded, count(*) AS number
    FROM bridge_failedmessage
    WHERE queue = %(name)s AND reason <> 'refused' AND archived_at > (SELECT moment FROM since)
      AND (SELECT is_known FROM state)
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT reason, put_back, discarded, count(*)
    FROM told
    WHERE outcome = 'failed' AND reason <> 'refused' AND ended_at > (SELECT moment FROM since)
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT reason, true, false, count(*)
    FROM bridge_failedmessage
    WHERE queue = %(name)s AND reason = 'refused' AND requeued_as IS NOT NULL
      AND archived_at >= (SELECT hour FROM since) AND (SELECT is_known FROM state)
    GROUP BY 1
    UNION ALL
    SELECT reason, true, false, count(*)
    FROM told
    WHERE outcome = 'failed' AND reason = 'refused' AND put_back AND hour >= (SELECT hour FROM since)
    GROUP BY 1
)
SELECT hour, outcome, reason, count, attempts, waiting, waiting_seconds, running, running_seconds, true
FROM bridge_rolledhour
-- Spelled out: of a time that it cannot know beforehand Postgres thinks that a third of all hours are later.
WHERE queue = %(name)s AND hour >= date_trunc('hour', now() - make_interval(hours => %(hours)s), 'UTC')
UNION ALL
SELECT hour, outcome, reason, count(*), coalesce(sum(attempts), 0)::bigint,
       coalesce(array_agg(waited_in::bigint) FILTER (WHERE waited_in IS NOT NULL), '{{}}'), coalesce(sum(waited), 0)::float8,
       coalesce(array_agg(ran_in::bigint) FILTER (WHERE ran_in IS NOT NULL), '{{}}'), coalesce(sum(ran), 0)::float8, false
FROM told WHERE hour >= (SELECT hour FROM since) GROUP BY hour, outcome, reason
UNION ALL
SELECT NULL, CASE WHEN put_back THEN 'put_back' WHEN discarded THEN 'discarded' ELSE 'open' END, reason, number,
       0, '{{}}', 0, '{{}}', 0, true
FROM failures

-- name: has_rest
-- Whether anything was archived since the watermark.
WITH {fresh} SELECT EXISTS (SELECT FROM fresh)

-- name: rest
-- What was archived since the watermark, by outcome and reason.
WITH {fresh}, {told} SELECT outcome, reason, {sums} FROM told GROUP BY outcome, reason

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

-- name: plan_sweep
-- Remembers up to which id all were given out, and which transaction comes next: when all before it have ended, what of
-- those ids is neither in the queue nor in the archive will never be.
UPDATE bridge_rolledqueue AS rolled
SET sweep_below = upper(rolled.counted::int8multirange),
    sweep_after = pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    sweep_at = statement_timestamp()
WHERE rolled.queue = %(name)s AND rolled.made_at = {made_at}
  AND (SELECT count(*) FROM unnest(rolled.counted::int8multirange)) > %(gaps)s
  AND (rolled.sweep_at IS NULL OR rolled.sweep_at < statement_timestamp() - make_interval(secs => %(patience)s))

-- name: sweep
-- Counts ids that no message has any more (it was deleted, or never sent), so that gaps do not become many. A sender may
-- have an id before he has a transaction, so an hour passes as well. The state is locked: nothing is rolled up meanwhile.
WITH rolled AS MATERIALIZED (
    SELECT counted::int8multirange AS counted, sweep_below
    FROM bridge_rolledqueue
    WHERE queue = %(name)s AND made_at = {made_at}
      AND sweep_below > 0
      AND sweep_at < statement_timestamp() - make_interval(secs => %(patience)s)
      AND sweep_after <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    FOR UPDATE
), kept AS (
    SELECT coalesce(range_agg(int8range(msg_id, msg_id + 1)), '{{}}') AS ids
    FROM (
        SELECT q.msg_id FROM rolled, {queue} AS q WHERE q.msg_id < rolled.sweep_below
        UNION ALL
        SELECT q.msg_id FROM rolled, {archive} AS q
        WHERE q.msg_id < rolled.sweep_below AND NOT q.msg_id <@ rolled.counted
    ) AS there
)
UPDATE bridge_rolledqueue AS state
SET counted = (rolled.counted
               + (int8multirange(int8range(0, rolled.sweep_below)) - rolled.counted - kept.ids))::text,
    sweep_below = NULL, sweep_after = NULL, sweep_at = NULL
FROM rolled, kept
WHERE state.queue = %(name)s

-- name: settle_failures
-- Brings rows of failed messages in line with the archive, where somebody changed that alone: a process of the version
-- before, or a person. At most `limit` of those that are open, the ids above `after` first.
WITH looked_at AS MATERIALIZED (
    SELECT failed.id, failed.msg_id
    FROM bridge_failedmessage AS failed
    WHERE failed.queue = %(name)s AND failed.requeued_as IS NULL AND failed.discarded_at IS NULL
      AND failed.msg_id > %(after)s
    ORDER BY failed.msg_id
    LIMIT %(limit)s
), found AS MATERIALIZED (
    SELECT q.msg_id, {raw} AS raw
    FROM {archive} AS q, {absent}
    WHERE q.msg_id IN (SELECT msg_id FROM looked_at)
), told AS MATERIALIZED (
    SELECT msg_id, requeued_as, discarded_at
    FROM (SELECT msg_id, {failure} FROM (SELECT *, NULL::timestamptz AS archived_at FROM found) AS found) AS rows (
        msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts, requeued_as, discarded_at)
    WHERE requeued_as IS NOT NULL OR discarded_at IS NOT NULL
), changed AS (
    UPDATE bridge_failedmessage AS failed
    SET requeued_as = told.requeued_as, discarded_at = told.discarded_at
    FROM told
    WHERE failed.queue = %(name)s AND failed.msg_id = told.msg_id
), gone AS (
    DELETE FROM bridge_failedmessage AS failed
    USING looked_at
    WHERE failed.id = looked_at.id AND NOT EXISTS (SELECT FROM found WHERE found.msg_id = looked_at.msg_id)
)
SELECT count(*), max(msg_id) FROM looked_at

-- name: prune
-- Deletes at most `limit` archived messages older than `days`, if they are in the roll-up, with what else is kept of
-- them: small transactions keep vacuum and replicas content.
WITH state AS MATERIALIZED (
    SELECT {counted} AS counted
), old AS MATERIALIZED (
    SELECT q.msg_id
    FROM state, {archive} AS q
    WHERE q.archived_at < now() - make_interval(days => %(days)s) AND q.msg_id <@ state.counted
    ORDER BY q.archived_at
    LIMIT %(limit)s
), gone AS (
    DELETE FROM {archive} WHERE msg_id IN (SELECT msg_id FROM old) RETURNING msg_id
), failures AS (
    DELETE FROM bridge_failedmessage AS failed USING gone WHERE failed.queue = %(name)s AND failed.msg_id = gone.msg_id
)
SELECT count(*) FROM gone
