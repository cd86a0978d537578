"""A connection of its own that hears Postgres say which queue got a message."""

import logging
import time
from collections.abc import Iterable, Iterator

import psycopg2
from django.db import connection
from psycopg2 import sql
from psycopg2.extensions import connection as RawConnection

from bridge.postgres import at_most
from bridge.trouble.explain import explain
from bridge.trouble.explanation import MISTAKE_SECONDS

logger = logging.getLogger(__name__)

CHANNEL = "balansity_bridge"
RECONNECT_SECONDS = 5.0
# Messages are read by the same thread, and a full pooler would let it wait.
CONNECT_SECONDS = 1.0
# By this pg_stat_activity, and whoever looks there, tells the session that listens from the one that works.
APPLICATION = "balansity listener"
# What is sent to a process that does not read (stopped, or on a paused machine) fills the sockets in between. Then the
# session hangs amid a transaction, and no dead row of any table can be vacuumed until the process reads again. So the
# server ends the session of who takes nothing for so long. It can over TCP alone; `bridge.hung` looks after the rest.
HUNG_SECONDS = 10


class Listener:
    """LISTENs for our own trigger and for pgmq's (`enable_notify_insert`).

    It is a convenience: without it, or while its connection is broken, the poll interval finds every message. Needs a
    session of its own, so a direct connection or a pooler in session mode.
    """

    def __init__(self, queues: list[str]) -> None:
        self._channels = {CHANNEL: ""} | {f"pgmq.q_{name}.INSERT": name for name in queues}
        self._connection: RawConnection | None = None
        self._connect_at = 0.0
        self._said = False

    def fileno(self) -> int | None:
        """The socket to wait for, `None` while there is no connection."""
        return self._connection.fileno() if self._connection is not None else None

    def connect(self) -> bool:
        """Open the connection unless it is open; returns whether it listens now. Tries every few seconds at most."""
        if self._connection is not None:
            return True
        if time.monotonic() < self._connect_at:
            return False
        self._connect_at = time.monotonic() + RECONNECT_SECONDS
        try:
            # The same parameters as Django's own connection, which cannot be shared: it is busy with transactions.
            opened = psycopg2.connect(**connection.get_connection_params() | {"cursor_factory": None})
            opened.autocommit = True
            with at_most(CONNECT_SECONDS, opened), opened.cursor() as cursor:
                cursor.execute(sql.SQL("; ").join(_statements(self._channels)))
        except psycopg2.Error as error:
            found = explain(error)
            if found is not None and found.is_mistake:
                self._connect_at = time.monotonic() + MISTAKE_SECONDS
            if not self._said:
                logger.warning("No wake-ups for now, polling only: %s", found or str(error).strip())
            self._said = True
            return False
        self._connection, self._said = opened, False
        return True

    def heard(self) -> set[str]:
        """The queues that were named since the last call. A broken connection is dropped, and nothing is lost by it."""
        if self._connection is None:
            return set()
        try:
            self._connection.poll()
        except psycopg2.Error as error:
            logger.warning("The connection for wake-ups broke, polling until it is back: %s", str(error).strip())
            self.close()
            return set()
        queues = {self._channels.get(note.channel) or note.payload for note in self._connection.notifies}
        self._connection.notifies.clear()
        return queues

    def close(self) -> None:
        opened, self._connection = self._connection, None
        if opened is not None:
            opened.close()


def _statements(channels: Iterable[str]) -> Iterator[sql.Composable]:
    yield sql.SQL("SET tcp_user_timeout TO {}").format(sql.Literal(f"{HUNG_SECONDS}s"))
    # A pooler keeps what it was told when its session with Postgres began.
    yield sql.SQL("SET application_name TO {}").format(sql.Literal(APPLICATION))
    for channel in channels:
        yield sql.SQL("LISTEN {}").format(sql.Identifier(channel))
