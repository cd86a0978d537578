"""A savepoint for each message of a bundle, set with the first statement that the message makes, and in one go with it.

A message that asks Postgres for nothing needs none, and of others it costs no round trip. Whatever sends a statement
over the connection passes here, COPY included: cursors of Django's and of psycopg2's own are made by it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extensions import cursor as Cursor

# What holds until the end of the transaction, which is that of all.
_OF_ALL = re.compile(r"\bset\s+(local|constraints)\b|\bset_config\s*\(", re.IGNORECASE)


class Savepoints:
    """Those of one transaction, one after the other. `watching` makes it."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        # What has to be said before the next statement. Between messages nothing has.
        self._due = ""
        self._number = 0
        # The savepoint that stands, and whether nothing was done since. Each has a name of its own: a statement that
        # cannot even be read takes what stands before it with it, and must not lead back to the savepoint of another.
        self._set: int | None = None
        self._is_fresh = False
        # Whether the message set what would hold for the next ones as well.
        self._sets = False

    @classmethod
    @contextmanager
    def watching(cls, connection: BaseDatabaseWrapper) -> Iterator[Self]:
        """Have the savepoints of the transaction that `connection` is in, for the length of the block."""
        savepoints, raw = cls(connection), connection.connection

        before, raw.cursor_factory = raw.cursor_factory, type("Watched", (_Watched,), {"watcher": savepoints})
        try:
            yield savepoints
        finally:
            raw.cursor_factory = before

    @contextmanager
    def one(self) -> Iterator[None]:
        """The work of one message. What it raises is raised, and what it did is undone."""
        hooks, self._sets = len(self._connection.run_on_commit), False
        if not self._is_fresh:
            self._number += 1
            released = "" if self._set is None else f"RELEASE SAVEPOINT message_{self._set}; "
            self._due = f"{released}SAVEPOINT message_{self._number}; "
        try:
            yield
            if self._connection.needs_rollback or self._has_failed():
                raise RuntimeError("a statement failed, and the error was not let through")
            if self._sets:
                raise RuntimeError("it set what would hold for others")
        except BaseException:
            if not self._due:
                self._go_back()
            del self._connection.run_on_commit[hooks:]
            raise
        finally:
            self._due = ""
        # What one raises after the commit must not keep those of others from being called.
        waiting: list[Any] = self._connection.run_on_commit
        waiting[hooks:] = [(savepoints, hook, True) for savepoints, hook, _ in waiting[hooks:]]

    def take_due(self, query: Any = "") -> str:
        """What to say before a statement of the message, which is this one."""
        self._sets = self._sets or _OF_ALL.search(str(query)) is not None
        due, self._due = self._due, ""
        if due:
            self._set = self._number
        self._is_fresh = False
        return due

    def _go_back(self) -> None:
        self._connection.needs_rollback = False
        with self._connection.connection.cursor() as cursor:
            cursor.execute(f"ROLLBACK TO SAVEPOINT message_{self._number}")
        self._is_fresh = True

    def _has_failed(self) -> bool:
        status: int = self._connection.connection.get_transaction_status()
        return status == TRANSACTION_STATUS_INERROR


class _Watched(Cursor):
    watcher: Savepoints

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - as psycopg2 calls it.
        due = self.watcher.take_due(query)
        if due and isinstance(query, str) and self.name is None:
            query = due + query
        elif due:
            self._say(due)
        super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._say(self.watcher.take_due(query))
        super().executemany(query, vars_list)

    def callproc(self, procname: Any, parameters: Any = None) -> Any:
        self._say(self.watcher.take_due(f"{procname}("))
        return super().callproc(procname, parameters)

    def copy_from(self, *args: Any, **options: Any) -> None:
        self._say(self.watcher.take_due())
        super().copy_from(*args, **options)

    def copy_to(self, *args: Any, **options: Any) -> None:
        self._say(self.watcher.take_due())
        super().copy_to(*args, **options)

    def copy_expert(self, *args: Any, **options: Any) -> None:
        self._say(self.watcher.take_due())
        super().copy_expert(*args, **options)

    def _say(self, due: str) -> None:
        if due:
            with self.connection.cursor(cursor_factory=Cursor) as plain:
                plain.execute(due)
