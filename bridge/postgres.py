"""Tells an outage of Postgres from an error about one statement, and bounds how long a place in it is waited for."""

import os
import socket
import threading
from collections.abc import Iterator
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
def at_most(seconds: float, opened: Connection) -> Iterator[None]:
    """Break `opened` when the block takes longer, so that the statement in it fails with psycopg2's OperationalError.

    A pooler that is full lets clients in and their first statement wait, for two minutes by its own settings. Neither
    libpq nor Postgres bounds that: no session has seen the statement yet.
    """

    def cut() -> None:
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(opened.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
