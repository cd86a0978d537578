"""Tells an outage of Postgres from an error about one statement, and bounds how long a place in it is waited for."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
from django.db import InterfaceError, InternalError, OperationalError
from psycopg2.extensions import connection as Connection

# What may say that Postgres cannot work for us now. InternalError: it is read-only, after a failover or with a full
# disk. `is_outage` tells whether it does.
POSTGRES_AWAY = (OperationalError, InterfaceError, InternalError)

# Connections, rollbacks that want a repeat, resources (disk, memory, connections), shut-down, the system itself.
_OUTAGES = ("08", "40", "53", "57", "58")
_CANCELED, _READ_ONLY, _LOCKED = "57014", "25006", "55P03"
# Postgres ended a session that held a transaction and did nothing, as one does whose process was stopped.
_IDLE = "25P03"
# What `at_most` says.
NO_SESSION = "no session in Postgres was to be had"


def is_outage(error: BaseException) -> bool:
    """Whether a database error says that Postgres cannot work for anybody now, so that waiting helps.

    Of the same classes of Django are errors about one statement: a trigger that raises (InternalError), a limit of
    Postgres or a statement that takes too long (OperationalError).
    """
    if not isinstance(error, POSTGRES_AWAY):
        return False
    code = getattr(error.__cause__, "pgcode", None)
    return code is None or code in (_READ_ONLY, _LOCKED, _IDLE) or (code[:2] in _OUTAGES and code != _CANCELED)


def first_line(error: BaseException) -> str:
    """What Postgres says, without the statements that led there."""
    return next(iter(str(error).strip().splitlines()), "")[:1000]


def is_locked(error: BaseException) -> bool:
    """Whether somebody held what the statement needed for longer than it may wait: that passes, or it does not."""
    return getattr(error.__cause__, "pgcode", None) == _LOCKED


@contextmanager
def at_most(seconds: float, opened: Connection, *, when_slow: Callable[[], object] | None = None) -> Iterator[None]:
    """Break `opened` when the block, which waits for a session, takes longer, and raise psycopg2's OperationalError.

    `when_slow` is called, in another thread, after a tenth of that time.

    A pooler that is full lets clients in and their first statement wait, for two minutes by its own settings. Neither
    libpq nor Postgres bounds that: no session has seen the statement yet.
    """

    was_cut = threading.Event()

    def cut() -> None:
        was_cut.set()
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(opened.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    timers = [threading.Timer(seconds, cut), *([threading.Timer(seconds / 10, when_slow)] if when_slow else [])]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    except psycopg2.OperationalError as error:
        if was_cut.is_set():
            raise psycopg2.OperationalError(f"{NO_SESSION} within {seconds:g} s") from error
        raise
    finally:
        for timer in timers:
            timer.cancel()
