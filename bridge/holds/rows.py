"""Rows that keep a queue from being worked on, each for a cause of its own: placed, lifted, looked up.

The statements that read and claim messages look at these rows themselves (`{holds}` in `bridge/sql/queries.sql`), so a
hold holds from its commit on, whoever has heard of it. All times are the database's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bridge.models import QueueHold

# That of a person, and what those of services begin with.
PAUSE, SERVICE = "pause", "service:"

_PLACE = """
INSERT INTO bridge_queuehold AS hold (queue, cause, since, until, by, why, let_through)
VALUES (%(queue)s, %(cause)s, statement_timestamp(), %(until)s, %(by)s, %(why)s, NULL)
ON CONFLICT (queue, cause) DO UPDATE
SET since = excluded.since, until = excluded.until, by = excluded.by, why = excluded.why, let_through = NULL
WHERE hold.until <= statement_timestamp()
RETURNING pg_notify('balansity_bridge', queue)
"""
_CHANGE = """
UPDATE bridge_queuehold SET until = %(until)s, by = %(by)s, why = %(why)s
WHERE queue = %(queue)s AND cause = %(cause)s AND since = %(since)s AND until IS NOT DISTINCT FROM %(seen_until)s
  AND (until IS NULL OR until > statement_timestamp())
RETURNING pg_notify('balansity_bridge', queue)
"""
_LET_THROUGH = """
UPDATE bridge_queuehold SET let_through = %(msg_id)s WHERE queue = %(queue)s AND cause = %(cause)s
RETURNING pg_notify('balansity_bridge', queue)
"""
# What has ended by itself is deleted as well, and was not lifted.
_LIFT = """
WITH gone AS (
    DELETE FROM bridge_queuehold WHERE queue = %(queue)s AND cause = %(cause)s
    RETURNING coalesce(until > statement_timestamp(), true) AS held
)
SELECT held, pg_notify('balansity_bridge', %(queue)s) FROM gone
"""
_IN_FORCE = """
SELECT queue, cause, since, until, by, why FROM bridge_queuehold
WHERE (until IS NULL OR until > statement_timestamp()) AND (%(queue)s::text IS NULL OR queue = %(queue)s::text)
ORDER BY queue, since, cause
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps `queue` from being worked on since then. `until` is `None` where somebody has to end it."""

    queue: str
    cause: str
    since: datetime
    until: datetime | None
    by: str
    why: str

    @property
    def service(self) -> str:
        """The name of the service that is waited for; empty where it is none."""
        return self.cause.removeprefix(SERVICE) if self.cause.startswith(SERVICE) else ""

    def __str__(self) -> str:
        end = f" until {timezone.localtime(self.until):%Y-%m-%d %H:%M:%S %Z}" if self.until else ""
        return f"{self.cause} by {self.by}{end}: {self.why or 'no reason given'}"


def place(queue: str, cause: str, *, by: str, why: str, until: datetime | None = None) -> bool:
    """Hold the queue; whether that is new. A hold for the same cause that is in force stays as it is.

    The bridges hear of it with the commit.
    """
    return bool(_run(_PLACE, queue=queue, cause=cause, by=by, why=why, until=until))


def change(seen: Hold, *, by: str, why: str, until: datetime | None) -> bool:
    """Let a hold end otherwise, or for another reason; `False` when it is no longer the one that was `seen`."""
    values = {"queue": seen.queue, "cause": seen.cause, "since": seen.since, "seen_until": seen.until}
    return bool(_run(_CHANGE, **values, by=by, why=why, until=until))


def let_through(queue: str, cause: str, msg_id: int | None) -> bool:
    """Let this one message be worked on all the same, as far as this cause is concerned; `None`: none any more."""
    return bool(_run(_LET_THROUGH, queue=queue, cause=cause, msg_id=msg_id))


def lift(queue: str, cause: str) -> bool:
    """End a hold; whether one was in force. The bridges wake with the commit."""
    return any(held for held, _notified in _run(_LIFT, queue=queue, cause=cause))


def in_force(queue: str | None = None) -> dict[str, list[Hold]]:
    """The holds of all queues, or of one, by queue, the oldest first.

    Nothing is held before `migrate` has made the table.
    """
    if not _is_there():
        return {}
    found: dict[str, list[Hold]] = {}
    for row in _run(_IN_FORCE, queue=queue):
        found.setdefault(row[0], []).append(Hold(*row))
    return found


def end_of(holds: Iterable[Hold]) -> datetime | None:
    """When the last of these ends by itself; `None`: somebody has to end one."""
    ends = [hold.until for hold in holds]
    return None if None in ends else max(end for end in ends if end is not None)


def forget_ended(*, older_than: timedelta) -> int:
    """Delete the rows of holds that ended by themselves so long ago; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM bridge_queuehold WHERE until < statement_timestamp() - make_interval(secs => %s)",
            [older_than.total_seconds()],
        )
        return int(cursor.rowcount)


def _is_there() -> bool:
    # Asked beforehand, as an error would end the transaction that this may be called in.
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [QueueHold._meta.db_table])
        return bool(cursor.fetchone()[0])


def _run(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
