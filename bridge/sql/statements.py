"""The statements of the `.sql` files, made for one queue. What the placeholders mean is said there."""

import re
from functools import cache
from pathlib import Path

from django.db import connection
from psycopg2 import sql

from bridge.sql import rolling

# The largest message, as text, that is looked into. One of ours has about 1 KB; Python takes 40 MB for 1 MB.
MOST_OCTETS = 1024 * 1024
# The largest, as it is stored, that is looked into before it is its turn: thousands are at once, and Postgres takes up
# to ninety times as much memory for one that it stored compressed.
MOST_STORED = 8192

_ABSENT = sql.SQL("(SELECT NULL::jsonb AS headers) AS absent")
_HEADERS = sql.SQL("(SELECT headers FROM (SELECT q.*) AS this)")
# Most messages have none yet, and functions cost more than the question.
_HISTORY = sql.SQL(
    "(CASE WHEN {0} IS NOT NULL OR q.message ? '_bridge' THEN bridge_history(q.message, {0}) END)"
).format(_HEADERS)
_PRIORITY = sql.SQL(
    "CASE WHEN pg_column_size(q.message) > {most} OR jsonb_typeof(q.message) IS DISTINCT FROM 'object'"
    " THEN -2147483648"
    " WHEN jsonb_typeof(q.message -> 'priority') = 'number'"
    " THEN least(greatest((q.message -> 'priority')::numeric, -1000000), 1000000)::int ELSE 0 END"
).format(most=sql.Literal(MOST_STORED))
# Pretty, a deep or a long one may be many times as large.
_BODY = sql.SQL(
    "CASE WHEN %(characters)s = 0 OR bridge_too_large(bridge_sent(q.message), {most}) THEN NULL"
    " WHEN bridge_too_large(bridge_sent(q.message), 65536) OR q.message @? '$.**{{40}}'"
    " THEN left(bridge_sent(q.message)::text, %(characters)s)"
    " ELSE left(jsonb_pretty(bridge_sent(q.message)), %(characters)s) END"
).format(most=sql.Literal(MOST_OCTETS))
_STANDING = sql.SQL("coalesce({} -> 'bridge', q.message -> '_bridge')").format(_HEADERS)
_OPEN = sql.SQL("({0} -> 'outcome' = '\"failed\"' AND NOT {0} ?| ARRAY['requeued_as', 'discarded_at'])").format(
    _STANDING
)
_DISCARDED = sql.SQL("({0} -> 'outcome' = '\"failed\"' AND {0} ? 'discarded_at' AND NOT {0} ? 'requeued_as')").format(
    _STANDING
)
# Our writes store the vt that they set: where it still stands, the row waits for that.
_STATE = sql.SQL(
    "CASE WHEN q.vt <= clock_timestamp() THEN 'ready'"
    " WHEN to_jsonb(q.vt) = {0} -> 'next_retry_at' THEN 'retrying'"
    " WHEN to_jsonb(q.vt) = {0} -> 'leased_until' THEN 'running'"
    " WHEN q.read_ct > 0 THEN 'in_line' ELSE 'delayed' END"
).format(_HISTORY)
_WRITTEN = {
    True: sql.SQL(
        # A message without any history and headers is given what the functions would make of them.
        "headers = CASE WHEN q.headers IS NULL AND NOT q.message ? '_bridge'"
        " THEN jsonb_build_object('bridge', jsonb_strip_nulls(patch - 'seconds'))"
        " ELSE bridge_carrying(q.headers, 'bridge', bridge_added({}, patch)) END,"
        " message = CASE WHEN q.message ? '_bridge' THEN bridge_sent(q.message) ELSE q.message END"
    ),
    False: sql.SQL("message = bridge_carrying(bridge_sent(q.message), '_bridge', bridge_added({}, patch))"),
}
# The name of the table, as an error of Postgres has it as well.
HOLDS = "bridge_queuehold"
_HOLDS = {
    True: sql.SQL(
        "(SELECT let_through, until FROM {}"
        " WHERE queue = %(name)s AND (until IS NULL OR until > statement_timestamp())) AS hold"
    ).format(sql.Identifier(HOLDS)),
    False: sql.SQL(
        "(SELECT NULL::bigint AS let_through, NULL::timestamptz AS until WHERE to_regclass({}) IS NOT NULL) AS hold"
    ).format(sql.Literal(HOLDS)),
}
_HELD = {
    True: sql.SQL("bridge_is_held(%(name)s, q.msg_id)"),
    False: sql.SQL("to_regclass({}) IS NOT NULL").format(sql.Literal(HOLDS)),
}
_CURRENT = {True: sql.SQL("true"), False: sql.SQL("NOT bridge_has_headers(lower(%(name)s))")}


@cache
def _queries() -> dict[str, str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.sql")))
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: re.sub(r"^ *--.*\n", "", body, flags=re.MULTILINE).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def plain(query: str) -> str:
    """Return a query that is the same for all queues."""
    return _queries()[query]


# The outcome of one message and the claim of the next in one go: made of the statements that do either alone, so that
# it has their protections. The next is claimed when the outcome was written; what somebody holds is not waited for.
FINISH_AND_CLAIM = "finish_and_claim"
# Where the statement of a handler may stand in one of ours.
ROWS = "/* rows */"
# The read of those that come one by one: of so many at most, whichever they are. Both stand in its text, as a plan for
# any number, and for any choice, would be one that reads the whole queue.
READ_FEW, FEW_MESSAGES = "read_few", 10
# Those that every message asks, whose plans are kept.
_PLANNED = frozenset((READ_FEW, "claim", "finish", FINISH_AND_CLAIM))
_NEXT = re.compile(r"%\((msg_id|vt|lease|attempts|trace_id|worker)\)s")
_CLAIMED = "{absent}, jsonb_build_object("
_WHOSE = "WHERE q.msg_id = %(msg_id)s"


def _text(query: str) -> str:
    if query == READ_FEW:
        return _queries()["read"].replace("%(ids)s", "NULL").replace("%(limit)s", str(FEW_MESSAGES))
    if query != FINISH_AND_CLAIM:
        return _queries()[query]
    outcome, archive = _queries()["finish"].rsplit(";", 1)
    _, claim = _queries()["claim"].split(";", 1)
    if ROWS not in archive or _CLAIMED not in claim or _WHOSE not in claim:
        raise ValueError("the statements finish and claim cannot be put together as they are")
    rows, archive = archive.split(ROWS)
    free = "(SELECT this.msg_id FROM {queue} AS this WHERE this.msg_id = %(msg_id)s FOR UPDATE SKIP LOCKED)"
    claim = claim.replace(_CLAIMED, f"ended, {_CLAIMED}").replace(_WHOSE, f"WHERE ended.archive AND q.msg_id = {free}")
    claim = _NEXT.sub(r"%(next_\1)s", claim)
    both = "WITH ended AS MATERIALIZED ({}), claimed (msg_id, vt, read_ct, enqueued_at, body, history) AS ({})"
    both = both.replace("{}", archive, 1).replace("{}", claim, 1)
    return f"{outcome};{rows}{ROWS} {both} SELECT ended.archive, claimed.* FROM ended LEFT JOIN claimed ON true"  # noqa: S608


def writes(query: str) -> bool:
    """Whether the query writes a history, and so changes nothing where its carrier is no longer the current one."""
    return "{current}" in _text(query)


def is_planned(query: str) -> bool:
    """Whether it is sent again and again, and tells the types of all its values."""
    return query in _PLANNED


def heeds_holds(query: str) -> bool:
    """Whether the query finds nothing in a queue that is held."""
    # The outcome of a message is written all the same.
    return query != FINISH_AND_CLAIM and ("{holds}" in _text(query) or "{held}" in _text(query))


def compose(query: str, *, queue: str, has_headers: bool, knows_holds: bool = True) -> str:
    """Return the query for the queue with the tables of `queue`.

    `has_headers` names the carrier that it writes to; `knows_holds` says whether there is a table of holds.
    """
    # What is composed is a statement with placeholders, where a percent sign in a name would begin one.
    table = queue.replace("%", "%%")
    archive = sql.Identifier("pgmq", f"a_{table}")
    raw = rolling.RAW.format(headers=_HEADERS, history=_HISTORY)
    composed = sql.SQL(_text(query)).format(
        queue=sql.Identifier("pgmq", f"q_{table}"),
        archive=archive,
        absent=_ABSENT,
        headers=_HEADERS,
        history=_HISTORY,
        raw=raw,
        counted=rolling.COUNTED,
        made_at=rolling.MADE_AT,
        fresh=rolling.fresh(archive=archive, absent=_ABSENT, raw=raw),
        told=rolling.TOLD,
        sums=rolling.SUMS,
        failure=rolling.FAILURE,
        failures=rolling.FAILURES,
        priority=_PRIORITY,
        body=_BODY,
        written=_WRITTEN[has_headers].format(_HISTORY),
        current=_CURRENT[has_headers],
        holds=_HOLDS[knows_holds],
        held=_HELD[knows_holds],
        standing=_STANDING,
        open=_OPEN,
        discarded=_DISCARDED,
        state=_STATE,
        most=sql.Literal(MOST_OCTETS),
        stored=sql.Literal(MOST_STORED),
    )
    connection.ensure_connection()
    return composed.as_string(connection.connection)
