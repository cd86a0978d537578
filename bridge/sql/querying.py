"""Runs the statements about one queue, whatever becomes of its tables in between."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import ProgrammingError, connection
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import UndefinedColumn, UndefinedFunction, UndefinedTable

from bridge.errors import BridgeError
from bridge.message import Token, Unreadable
from bridge.record import Statement
from bridge.sql.prepared import PLACEHOLDER, Part, execute
from bridge.sql.statements import HOLDS, ROWS, compose, heeds_holds, is_planned, plain, writes

_ARCHIVE = "pgmq.archive(%(name)s, q.msg_id)"
# Names of others may have anything that pgmq takes; what is longer is none.
_MOST_CHARACTERS = 100


class QueueMissing(BridgeError):
    """Postgres has no such queue. Only whoever knows that it is one of ours may advise to make it."""

    code = "queue_missing"


class Querying:
    """One queue's name, and what is known of its tables, whose names are in small letters whatever its own are.

    That may turn wrong at any time, as pgmq is upgraded under running processes. No statement relies on it: reading
    finds the history wherever it stands, and a write to a carrier that is no longer the current one changes nothing
    and is done again. So is whatever heeds holds, where their table has come, or has gone, since.
    """

    def __init__(self, name: str) -> None:
        if not name or len(name) > _MOST_CHARACTERS or not name.isprintable():
            raise QueueMissing(f"{name[:_MOST_CHARACTERS]!r} cannot be the name of a pgmq queue")
        self.name = name
        self._table = name
        self._statements: dict[str, str] = {}
        self._has_headers: bool | None = None
        self._knows_holds = True

    @property
    def has_headers(self) -> bool:
        """Whether new history goes into the column `headers` (pgmq 1.5 and newer). Older history may still not."""
        return self.look() if self._has_headers is None else self._has_headers

    def look(self) -> bool:
        """Look at the tables anew. Raises `QueueMissing`."""
        with connection.cursor() as cursor:
            cursor.execute(plain("has_headers"), {"name": self.name})
            self._table, exists, has_headers, knows_holds = cursor.fetchone()
        if not exists:
            self._forget()
            raise QueueMissing(f"there is no queue {self.name}", queue=self.name)
        if (has_headers, knows_holds) != (self._has_headers, self._knows_holds):
            self._forget()
        self._has_headers, self._knows_holds = bool(has_headers), bool(knows_holds)
        return self._has_headers

    def _forget(self) -> None:
        self._statements.clear()
        self._has_headers = None

    def _one(self, query: str, token: Token, **values: Any) -> tuple[Any, ...] | None:
        rows = self._all(query, msg_id=token.msg_id, vt=token.vt, **values)
        return rows[0] if rows else None

    def _all(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What the query returns. `rows_too`, a handler's `Statement`, is sent amid it, where it has a place for it."""
        try:
            with self._executed(query, values) as cursor:
                rows: list[tuple[Any, ...]] = cursor.fetchall()
        except ProgrammingError as error:
            # It is gone. In a transaction nothing can follow; what began it does it all again.
            gone = (UndefinedColumn, UndefinedFunction, UndefinedTable)
            if connection.in_atomic_block or not isinstance(error.__cause__, gone):
                raise
            with self._executed(query, values) as cursor:
                return list(cursor.fetchall())
        if rows or not self._has_come(query):
            return rows
        # Nothing was changed, and now it goes to the right place.
        return self._all(query, **values)

    def _has_come(self, query: str) -> bool:
        """Whether there is by now what was not there at the last look, and for which the query would wait."""
        before = self._has_headers, self._knows_holds
        waits = (before[0] is False and writes(query)) or (not before[1] and heeds_holds(query))
        return waits and (self.look(), self._knows_holds) != before

    def _execute(self, query: str, **values: Any) -> int:
        with self._executed(query, values) as cursor:
            return int(cursor.rowcount)

    @contextmanager
    def _executed(self, query: str, values: dict[str, Any]) -> Iterator[CursorWrapper]:
        values = {"name": self.name, **values}
        rows_too: Statement | None = values.pop("rows_too", None)
        with connection.cursor() as cursor:
            try:
                statement = self._statement(query)
                if is_planned(query):
                    execute(cursor, self._parts(statement, rows_too), values | _rows_values(rows_too))
                else:
                    cursor.execute(statement, values)
            except ProgrammingError as error:
                # A column or the table is gone: pgmq was changed, or the queue dropped, under a running process. The
                # next statement looks at the table anew.
                self._forget()
                if isinstance(error.__cause__, UndefinedTable) and HOLDS not in str(error):
                    raise QueueMissing(
                        f"the queue {self.name} was dropped, or its archive was", queue=self.name
                    ) from error
                raise
            yield cursor

    def _parts(self, statement: str, rows: Statement | None) -> list[Part]:
        """The statements of a string, with the one that writes a handler's rows amid them."""
        parts = []
        if rows is not None:
            # Rows must not be there without the outcome: what is not archived then is an error, and undoes all.
            statement = statement.replace(_ARCHIVE, f"1 / {_ARCHIVE}::int = 1 AS archive")
        for text in statement.split(";\n"):
            if rows is not None and text.startswith(ROWS):
                ours = self._statement("is_ours")
                parts.append(Part(_renamed(rows.sql).strip().rstrip(";").replace("{ours}", ours), rows.planned))
            parts.append(Part(text.removeprefix(ROWS).strip(), not text.startswith("SET ")))
        return parts

    def _statement(self, query: str) -> str:
        statement = self._statements.get(query)
        if statement is None:
            # First the look, which finds the names of the tables.
            has_headers = self.has_headers
            statement = self._statements[query] = compose(
                query, queue=self._table, has_headers=has_headers, knows_holds=self._knows_holds
            )
        return statement


def _renamed(text: str) -> str:
    """With other names for the placeholders of a handler's statement, which may be those of ours as well."""
    return PLACEHOLDER.sub(lambda found: f"%(rows_{found[1]})s" if found[1] else found[0], text)


def _rows_values(rows: Statement | None) -> dict[str, Any]:
    return {f"rows_{name}": value for name, value in rows.values.items()} if rows is not None else {}


def loaded(value: str | None) -> Any:
    """Parse jsonb, which Django hands out as text. What Python cannot hold (nesting, giant numbers) is `Unreadable`."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except (RecursionError, ValueError) as error:
        return Unreadable(str(error))


def as_history(value: str | None) -> dict[str, Any]:
    history = loaded(value)
    return history if isinstance(history, dict) else {}
