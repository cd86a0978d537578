"""Tells whether a connection has a session of its own, or shares one with whoever else uses a pooler.

Between two transactions a pooler in transaction mode gives a client any of its connections to Postgres. What a client
sets there (`search_path` first of all) is then gone, or is found by somebody else. Two connections of ours give it
away: each leaves a mark in its session, and either a mark is not where it was left, or one finds the mark of the other.
"""

import random
import secrets
import select
import time
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ
from psycopg2.extensions import connection as Connection

from bridge.errors import AddressRefused

# With nobody else on the pooler two looks are enough. One with two connections to Postgres that others keep busy gives
# both clients the right one by chance, each time, once in two to the power of this.
LOOKS = 24
# In a full pooler in session mode the second connection waits for its turn, which may never come. In one in transaction
# mode that others keep busy it waits about as long as the first one did.
LEAST_PATIENCE, MOST_PATIENCE = 3.0, 20.0
TIMES_AS_LONG = 5

REMEDY = "use the direct address or the session pooler, both on port 5432"


class SharedSession(AddressRefused):
    """`DATABASE_URL` leads to a pooler in transaction mode, so nothing that is set in a session can be relied on."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"DATABASE_URL leads to a pooler in transaction or statement mode ({why}), where tables could end up in "
            f"public and messages could be lost: {REMEDY}"
        )


def prove_own_session(first: Connection, open_second: Callable[[], Connection], *, looks: int = LOOKS) -> bool:
    """Raise `SharedSession` unless `first`, in autocommit, keeps its session; also psycopg2's errors of `first`.

    `open_second` starts an asynchronous connection to the same address. Returns whether that could be had: without it
    a pooler that nobody else uses at the moment stays undiscovered. But one in transaction mode has room for a second.
    """
    one = _Client(lambda statement, values: _ask(first, statement, values))
    one.leave_mark()
    one.look()
    one.look()
    patience = min(MOST_PATIENCE, max(LEAST_PATIENCE, TIMES_AS_LONG * one.slowest))
    with suppress(_NoSecond), closing(_Second(open_second, patience)) as second:
        two = _Client(second.ask, beside=one)
        # Where both are in one session the mark of the first is still there.
        two.look()
        two.leave_mark()
        one.beside = two
        # In no order that a pooler, or the rhythm of its other clients, could be in step with.
        for _ in range(looks):
            random.choice((one, two)).look()  # noqa: S311 # No secret.
        one.look()
        return True
    for _ in range(looks):
        one.look()
    return False


_SET = "SELECT pg_backend_pid(), set_config('balansity.session', %s, false)"
_LOOK = "SELECT pg_backend_pid(), coalesce(current_setting('balansity.session', true), '')"
_Ask = Callable[[str, list[str]], tuple[int, str]]


class _Client:
    """One connection: the mark that it left, and the process of Postgres that it was in then."""

    def __init__(self, ask: _Ask, beside: "_Client | None" = None) -> None:
        self._ask = ask
        self.beside = beside
        self.mark = ""
        self.slowest = 0.0
        self._pid = 0

    def leave_mark(self) -> None:
        # Set first: the answer may be lost.
        self.mark = secrets.token_hex(8)
        self._pid, _ = self._ask(_SET, [self.mark])

    def look(self) -> None:
        began = time.monotonic()
        pid, mark = self._ask(_LOOK, [])
        self.slowest = max(self.slowest, time.monotonic() - began)
        if self.beside is not None and mark == self.beside.mark:
            raise SharedSession("two clients found themselves in one session")
        # A new session may hold what its client before left there.
        if not self.mark:
            return
        if pid != self._pid:
            raise SharedSession("two statements of one client ran in two sessions")
        if mark != self.mark:
            raise SharedSession("what a client had set in its session was gone with the next statement")


def _ask(connection: Connection, statement: str, values: list[str]) -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return _answer(cursor.fetchone())


def _answer(row: tuple[int, str] | None) -> tuple[int, str]:
    assert row is not None  # noqa: S101 # Neither statement has a FROM.
    return row


class _NoSecond(Exception):
    """The second connection could not be had, or did not answer in time."""


class _Second:
    """The second connection: asynchronous, as nothing else bounds how long a statement waits for a session."""

    def __init__(self, open_second: Callable[[], Connection], patience: float) -> None:
        self._patience = patience
        try:
            self._connection = open_second()
        except psycopg2.Error as error:
            raise _NoSecond from error
        try:
            self._wait()
        except _NoSecond:
            self.close()
            raise

    def ask(self, statement: str, values: list[str]) -> tuple[int, str]:
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement, values)
            self._wait()
            return _answer(cursor.fetchone())
        except psycopg2.Error as error:
            raise _NoSecond from error

    def close(self) -> None:
        self._connection.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._patience
        try:
            while (state := self._connection.poll()) != POLL_OK:
                descriptor = [self._connection.fileno()]
                reads, writes = (descriptor, []) if state == POLL_READ else ([], descriptor)
                if not any(select.select(reads, writes, [], max(0.0, deadline - time.monotonic()))):
                    raise _NoSecond
        except psycopg2.Error as error:
            raise _NoSecond from error
