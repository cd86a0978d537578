"""A connection of its own that hears Postgres say which queue got a message."""

import logging
import time

import psycopg2
from django.db import connection
from psycopg2 import sql
from psycopg2.extensions import connection as RawConnection

logger = logging.getLogger(__name__)

CHANNEL = "balansity_bridge"
RECONNECT_SECONDS = 5.0


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
            with opened.cursor() as cursor:
                for channel in self._channels:
                    cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg2.Error as error:
            if not self._said:
                logger.warning("No wake-ups for now, polling only: %s", str(error).strip())
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
