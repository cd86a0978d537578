"""Parts that several statements of `rollup.sql` share; what each is for is said there."""

from psycopg2 import sql

from bridge.histogram import BOUNDS, BUCKETS
from bridge.message import MOST_ATTEMPTS, Outcome, Reason

# What somebody else archived, and put no outcome of ours on.
OTHER = "other"
# What became of those that failed.
OPEN, PUT_BACK, DISCARDED = "open", "put_back", "discarded"

# An archived message has its outcome in the current carrier, unless pgmq was upgraded since. What is large was not
# written by us alone, and is cut to what we know.
RAW = sql.SQL(
    "CASE WHEN pg_column_size({headers}) < 8192 AND {headers} -> 'bridge' ? 'outcome' THEN {headers} -> 'bridge'"
    " ELSE {history} END"
)

# Tables without an entry in pgmq's list have no such time, and are taken for the same ones for ever.
MADE_AT = sql.SQL(
    "coalesce((SELECT max(created_at) FROM pgmq.meta WHERE lower(queue_name) = lower(%(name)s)), 'epoch')"
)
_ROLLED = sql.SQL("FROM bridge_rolledqueue AS rolled WHERE rolled.queue = %(name)s AND rolled.made_at = {}").format(
    MADE_AT
)
COUNTED = sql.SQL("coalesce((SELECT rolled.counted::int8multirange {}), '{{}}')").format(_ROLLED)
_BY_ID = """EXISTS (SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
                       ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                   WHERE i.indrelid = to_regclass(format('pgmq.%%I', lower('a_' || %(name)s)))
                     AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'msg_id')"""

# Each gap between counted ids is looked up in the index, the one behind them all too. Without such an index the whole
# archive has to be looked through, which only the roll-up itself does (`whole`). The largest id fits into no range.
FRESH = sql.SQL("""state AS MATERIALIZED (
    SELECT {counted} AS counted, {by_id} AS by_id, EXISTS (SELECT {rolled}) AS is_known
), fresh AS MATERIALIZED (
    SELECT msg_id, enqueued_at, archived_at, raw
    FROM (
        SELECT found.*
        FROM state, unnest(int8multirange(int8range(NULL, NULL)) - state.counted) AS gap, LATERAL (
            SELECT q.msg_id, q.enqueued_at, q.archived_at, {raw} AS raw
            FROM {archive} AS q, {absent}
            WHERE q.msg_id >= coalesce(lower(gap), '-9223372036854775808'::bigint)
              AND q.msg_id < coalesce(upper(gap), 9223372036854775807)
            ORDER BY q.msg_id
            LIMIT %(limit)s
        ) AS found
        WHERE (SELECT by_id FROM state)
        UNION ALL
        SELECT q.msg_id, q.enqueued_at, q.archived_at, {raw} AS raw
        FROM state, {archive} AS q, {absent}
        WHERE %(whole)s AND NOT (SELECT by_id FROM state)
          AND q.msg_id < 9223372036854775807 AND NOT q.msg_id <@ state.counted
    ) AS found
    LIMIT %(limit)s
)""")


def fresh(*, archive: sql.Composable, absent: sql.Composable, raw: sql.Composable) -> sql.Composable:
    """The beginning of a statement about what is not in the roll-up of this archive yet."""
    return FRESH.format(archive=archive, absent=absent, raw=raw, counted=COUNTED, by_id=sql.SQL(_BY_ID), rolled=_ROLLED)


def _among(names: type[Outcome | Reason]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Literal(f'"{name.value}"') for name in names)


# A time of somebody else may be anything, infinity included; one to come is now.
_MOMENT = "least(greatest(archived_at, '1970-01-01 00:00+00'), statement_timestamp())"
_REASON = sql.SQL("CASE WHEN raw -> 'reason' IN ({reasons}) THEN raw ->> 'reason' ELSE '' END").format(
    reasons=_among(Reason)
)
_ATTEMPTS = sql.SQL(
    "CASE WHEN jsonb_typeof(raw -> 'attempts') = 'number'"
    " THEN least(greatest((raw -> 'attempts')::numeric, 0), {most})::int ELSE 0 END"
).format(most=sql.Literal(MOST_ATTEMPTS))
# By the rules of `bridge_known`, by which a message is put back or not.
_REQUEUED_AS = sql.SQL(
    "CASE WHEN jsonb_typeof(raw -> 'requeued_as') = 'number' THEN CASE"
    " WHEN scale((raw -> 'requeued_as')::numeric) = 0"
    " AND (raw -> 'requeued_as')::numeric BETWEEN 0 AND 9223372036854775807"
    " THEN (raw -> 'requeued_as')::bigint END END"
)
# Seconds; a clock that was set back in between makes none of less than nothing.
_WAITED = (
    "CASE WHEN isfinite(enqueued_at)"
    " THEN extract(epoch FROM bridge_moment(raw -> 'first_attempt_at')"
    " - coalesce(bridge_moment(raw -> 'due_at'), enqueued_at)) END"
)
_RAN = "extract(epoch FROM bridge_moment(raw -> 'finished_at') - bridge_moment(raw -> 'last_attempt_at'))"

# The offsets keep Postgres from working the same out once more for each place where it is used.
TOLD = sql.SQL("""told AS MATERIALIZED (
    SELECT msg_id, hour, ended_at, outcome, reason, attempts, put_back, discarded, waited, ran,
           width_bucket(waited, {bounds}) AS waited_in, width_bucket(ran, {bounds}) AS ran_in
    FROM (
        SELECT msg_id, date_trunc('hour', ended_at, 'UTC') AS hour, ended_at, outcome, attempts, put_back, discarded,
               CASE WHEN outcome = 'failed' THEN reason ELSE '' END AS reason,
               CASE WHEN outcome <> 'other' AND waited IS NOT NULL
                    THEN least(greatest(waited, 0), 1e9)::float8 END AS waited,
               CASE WHEN outcome <> 'other' AND ran IS NOT NULL
                    THEN least(greatest(ran, 0), 1e9)::float8 END AS ran
        FROM (
            SELECT msg_id, {moment} AS ended_at,
                   CASE WHEN raw -> 'outcome' IN ({outcomes}) THEN raw ->> 'outcome' ELSE 'other' END AS outcome,
                   {reason} AS reason,
                   {attempts} AS attempts,
                   {requeued_as} IS NOT NULL AS put_back,
                   bridge_moment(raw -> 'discarded_at') IS NOT NULL AS discarded,
                   {waited} AS waited,
                   {ran} AS ran
            FROM fresh
            OFFSET 0
        ) AS read
        OFFSET 0
    ) AS bounded
)""").format(
    bounds=sql.SQL("ARRAY[{}]::float8[]").format(sql.SQL(", ").join(map(sql.Literal, BOUNDS))),
    moment=sql.SQL(_MOMENT),
    outcomes=_among(Outcome),
    reason=_REASON,
    attempts=_ATTEMPTS,
    requeued_as=_REQUEUED_AS,
    waited=sql.SQL(_WAITED),
    ran=sql.SQL(_RAN),
)


def _histogram(column: str) -> sql.Composable:
    each = (
        sql.SQL("count(*) FILTER (WHERE {} = {})").format(sql.Identifier(column), sql.Literal(number))
        for number in range(BUCKETS)
    )
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(each))


SUMS = sql.SQL(
    "count(*), coalesce(sum(attempts), 0)::bigint, {waiting}, coalesce(sum(waited), 0)::float8,"
    " {running}, coalesce(sum(ran), 0)::float8"
).format(waiting=_histogram("waited_in"), running=_histogram("ran_in"))

FAILURE = sql.SQL("""{moment}, {reason}, left(coalesce(raw -> 'last_error' ->> 'type', ''), 200),
           left(coalesce(raw -> 'last_error' ->> 'message', ''), 2000),
           bridge_pattern(coalesce(raw -> 'last_error' ->> 'message', '')),
           CASE WHEN length(raw ->> 'trace_id') <= 64 THEN raw ->> 'trace_id' ELSE '' END,
           {attempts},
           {requeued_as},
           bridge_moment(raw -> 'discarded_at')""").format(
    moment=sql.SQL(_MOMENT), reason=_REASON, attempts=_ATTEMPTS, requeued_as=_REQUEUED_AS
)

_WANTED = """requeued_as IS NULL AND discarded_at IS NULL
          AND (reason = %(reason)s
               OR %(reason)s IS NULL AND (reason <> 'refused' OR %(ids)s::bigint[] IS NOT NULL))
          AND NOT reason = ANY (%(hopeless)s::text[])
          AND (%(error_type)s IS NULL OR error_type = %(error_type)s)
          AND (%(pattern)s IS NULL OR pattern = %(pattern)s)
          AND (%(since)s IS NULL OR archived_at >= %(since)s::timestamptz)
          AND (%(until)s IS NULL OR archived_at <= %(until)s::timestamptz)
          AND (%(trace_id)s IS NULL OR trace_id = %(trace_id)s)
          AND (%(ids)s::bigint[] IS NULL OR msg_id = ANY (%(ids)s::bigint[]))"""

# What failed and is open: rolled up, and not yet.
FAILURES = sql.SQL("""
        SELECT msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts
        FROM bridge_failedmessage
        WHERE queue = %(name)s AND (SELECT is_known FROM state) AND {wanted}
        UNION ALL
        SELECT msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts
        FROM (SELECT msg_id, {failure} FROM fresh WHERE raw -> 'outcome' = '"failed"') AS rest (
            msg_id, archived_at, reason, error_type, error, pattern, trace_id, attempts, requeued_as, discarded_at)
        WHERE {wanted}""").format(wanted=sql.SQL(_WANTED), failure=FAILURE)
