"""One session of Postgres for Django's connections of one test after another.

A session costs Postgres a process, which reads the catalogs anew, and more than many tests do. Django does not notice:
its connection is made and closed for each test, sets its session up and looks at it. Within a test, what is closed is
closed.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from select import select
from typing import Any
from unittest import mock

import psycopg2
from django.db import connection as django_connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection

from balansity.postgres import base
from balansity.postgres.pool import shared
from bridge.postgres import at_most
from bridge.sql import prepared

# What `DISCARD ALL` does, but for the plans of functions and foreign keys, which are for whoever comes next as well.
# What it has written is counted now, and not in ten seconds: whoever comes next reads these numbers.
_LEAVE = """
CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES; SELECT pg_stat_force_next_flush()
"""

_connect = psycopg2.connect
_get_new_connection = DatabaseWrapper.get_new_connection


class KeptSession:
    """Keeps the session of the test before, if it was left in order, for the test that comes."""

    def __init__(self) -> None:
        self._kept: Connection | None = None
        # How it was opened, and by which process: a fork has its parent's connections, and must not speak there.
        self._parameters: dict[str, Any] = {}
        self._process = 0

    @property
    def pid(self) -> int:
        """The process in Postgres, 0 without one."""
        return self._kept.info.backend_pid if self._kept is not None else 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let the first connection that Django opens like the last one have the session, and keep what it leaves."""
        opened: list[tuple[Connection, dict[str, Any]]] = []
        taken: list[Connection] = []

        def get_new_connection(wrapper: DatabaseWrapper, parameters: dict[str, Any]) -> Any:
            # Who has replaced `connect` wants to see it called.
            if psycopg2.connect is not _connect:
                return _get_new_connection(wrapper, parameters)
            raw = self._take(parameters)
            if raw is not None:
                taken.append(raw)
            raw = raw or _get_new_connection(wrapper, parameters)
            opened.append((raw, dict(parameters)))
            return raw

        def bounded(seconds: float, raw: Connection, **more: Any) -> AbstractContextManager[None]:
            # A session that is there is not waited for, and two threads that watch over it take longer than its set-up.
            return nullcontext() if any(raw is one for one in taken) else at_most(seconds, raw, **more)

        usual = django_connection.get_connection_params()
        with (
            mock.patch.object(DatabaseWrapper, "get_new_connection", get_new_connection),
            mock.patch.object(base, "at_most", bounded),
        ):
            try:
                yield
            finally:
                for raw, parameters in opened:
                    if raw is django_connection.connection and parameters == usual:
                        self._keep(raw, parameters)

    def close(self) -> None:
        if self._kept is not None and self._process == os.getpid():
            self._kept.close()
        self._kept = None

    def _take(self, parameters: dict[str, Any]) -> Connection | None:
        if self._kept is None or self._process != os.getpid() or parameters != self._parameters:
            return None
        raw, self._kept = self._kept, None
        if raw.closed or select([raw], [], [], 0)[0]:
            # Postgres was restarted since, or has ended all sessions: it says so unasked.
            raw.close()
            return None
        return raw

    def _keep(self, raw: Connection, parameters: dict[str, Any]) -> None:
        self.close()
        if (
            raw.closed
            or shared() is not None
            or raw.info.transaction_status != TRANSACTION_STATUS_IDLE
            or not django_connection.autocommit
        ):
            return
        try:
            with raw.cursor() as cursor:
                cursor.execute(_LEAVE)
        except psycopg2.Error:
            return
        # What is remembered of it in this process.
        prepared._sessions.pop(raw, None)
        raw.notices.clear()
        raw.notifies.clear()
        self._kept, self._parameters, self._process = raw, parameters, os.getpid()
        # Django would close it.
        django_connection.connection = None
