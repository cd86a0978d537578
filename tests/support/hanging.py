"""A listening client that takes nothing, as a stopped process does, and notifications until its session hangs."""

from contextlib import closing

import psycopg2

from tests.acceptance.waiting import wait_until

_HANGS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'ClientWrite')"
_LIVES = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
# No two alike, or Postgres sends one of them, and as large as they may be.
_SEND = "SELECT pg_notify('balansity_bridge', %s || '-' || n || repeat('x', 7900)) FROM generate_series(1, 300) AS n"


def fill_until_it_hangs(url: str, pid: int) -> None:
    """Notify the session `pid`, whose client reads nothing, until all that is between them is full."""
    with closing(psycopg2.connect(url)) as sender, sender.cursor() as cursor:
        sender.autocommit = True

        def hangs() -> bool:
            cursor.execute(_SEND, [str(id(object()))])
            return _asked(cursor, _HANGS, pid)

        wait_until(hangs, "the session waits for its client", seconds=60)


def await_its_end(url: str, pid: int, *, seconds: float = 30) -> None:
    with closing(psycopg2.connect(url)) as looker, looker.cursor() as cursor:
        looker.autocommit = True
        wait_until(lambda: not _asked(cursor, _LIVES, pid), f"session {pid} is ended", seconds=seconds)


def _asked(cursor: "psycopg2.extensions.cursor", query: str, pid: int) -> bool:
    cursor.execute(query, [pid])
    row = cursor.fetchone()
    return bool(row and row[0])
