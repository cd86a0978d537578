"""What is said to each new connection to Supabase's Postgres, and how the times that it reads become Python's."""

from datetime import UTC, datetime
from typing import Any

import psycopg2.extensions
from django.db.backends.base.base import BaseDatabaseWrapper

# A year from the ends of Python's calendar, so that every time zone can show them.
EARLIEST, LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


# How often the server looks whether somebody still waits for what it works on.
CLIENT_LOOK = "10s"
# The longest statement of a web process: who waits for a page has gone by then, and its thread serves nobody else.
WEB_STATEMENT_SECONDS = 20
# Nothing of ours waits for anything outside while it holds a transaction, and Python is quick.
IDLE_IN_TRANSACTION = "2min"


def end_with_client(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let the server end a session whose client has vanished, or hangs, and with it the locks that it holds.

    A client that dies closes its socket, and its session ends at once. A machine that dies does not, and by its own
    settings Linux looks after two hours. A process that is stopped, or on a paused machine, is there and answers
    nothing: amid a transaction, or an answer that it does not take, it would keep others from rows and from vacuum.
    And a statement whose client is gone would run on, for hours.
    """
    # A session that threads share has heard it, and is looked at before each use.
    if connection.vendor == "postgresql" and not getattr(connection, "is_kept", False):
        with connection.cursor() as cursor:
            cursor.execute(
                "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; "
                f"SET tcp_user_timeout = '30s'; SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'; "
                f"SET client_connection_check_interval = '{CLIENT_LOOK}'; {usual_limit()}"
            )


_longest = {"seconds": 0}


def limit_statements(seconds: int) -> None:
    """Let no statement of the sessions that this process opens from now on take longer; 0 leaves it to Postgres."""
    _longest["seconds"] = seconds


def usual_limit() -> str:
    """The statement that gives a session of this process its usual limit."""
    seconds = _longest["seconds"]
    return f"SET statement_timeout = '{seconds}s'" if seconds else "RESET statement_timeout"


def keep_times_readable(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Read a time that Python cannot hold or show as the nearest one that it can.

    Clients write times into Supabase's tables, and Postgres takes `infinity` and the year 20000. Without this a single
    such row would break every list that it stands in.
    """
    if connection.vendor == "postgresql":
        for reader in _READERS:
            psycopg2.extensions.register_type(reader, connection.connection)


def _within_calendar(read: Any, earliest: Any, latest: Any) -> Any:
    """Return psycopg2's reader `read` of a type, kept between both ends."""

    def read_within(value: str | bytes | None, cursor: Any) -> Any:
        try:
            found = read(value, cursor)
        except (ValueError, OverflowError):
            return earliest if str(value).endswith("BC") else latest
        return None if found is None else min(max(found, earliest), latest)

    return psycopg2.extensions.new_type(read.values, f"{read.name}_WITHIN_CALENDAR", read_within)


_READERS = (
    _within_calendar(psycopg2.extensions.PYDATETIMETZ, EARLIEST, LATEST),
    # What Django's truncation to a month or a day gives, in the local time zone.
    _within_calendar(psycopg2.extensions.PYDATETIME, EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)),
    _within_calendar(psycopg2.extensions.PYDATE, EARLIEST.date(), LATEST.date()),
)
