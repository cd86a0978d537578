"""A process of the protocol as a thread with a session of its own, which stops before each statement and each commit.

Whoever drives it says whether it goes on, is killed there, loses its connection before or after that statement, or is
told that it waited too long for a lock. What is killed says nothing to Postgres any more, and what it had not committed
is undone, as when its session ends.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

import psycopg2
from celery._state import get_current_app
from django.db import OperationalError, connection, connections

from bridge.message import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# When it is looked whether whoever does not answer waits for a lock; how long one who waits for none may take.
PATIENCE_SECONDS, LONGEST_SECONDS = 0.02, 60.0

# Raised by Postgres itself, so that a transaction is as broken as it would be.
_TOO_LONG = "DO $$ BEGIN RAISE lock_not_available USING MESSAGE = 'canceling statement due to lock timeout'; END $$"

Pair = tuple[int, int]


class Killed(BaseException):
    """The process is dead: whatever its code does after this reaches nobody."""


class Fate(Enum):
    """What becomes of a process at the statement before which it stands."""

    GO = auto()
    KILL = auto()
    CUT_BEFORE = auto()
    CUT_AFTER = auto()
    LOCKED = auto()


def microseconds(moment: datetime) -> int:
    """A time as a whole number, as the books have it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Process:
    """One bridge, worker, operator or stranger.

    `at`: `idle`, `statement`, `commit` or `handler`. `waits`: it has not come back from there, as a rule since somebody
    else holds a lock. `tokens` are those
    that it put into statements during its job, and `decisions` how its handlers ended, by message. `together` are those
    whose handler ran in the transaction of a bundle when it ran last. `acts` counts what all of them together asked of
    Postgres.
    """

    acts: ClassVar[int] = 0

    def __init__(self, name: str) -> None:
        self.name, self.at, self.waits = name, "idle", False
        self.message: Message | None = None
        self.tokens: set[Pair] = set()
        self.decisions: dict[int, Any] = {}
        self.together: set[int] = set()
        self.job = ""
        self._error: BaseException | None = None
        self._pid, self._dead = 0, False
        self._orders: SimpleQueue[Any] = SimpleQueue()
        self._reports: SimpleQueue[str] = SimpleQueue()
        app: Any = get_current_app()
        self._thread = threading.Thread(target=self._live, args=(app,), name=name, daemon=True)
        self._thread.start()

    # What the driver says.

    def begin(self, job: Callable[[], object], name: str) -> None:
        """Begin a job, which comes as far as its first statement."""
        assert self.at == "idle", f"{self.name} is at work"
        self.job, self.message = name, None
        self.tokens, self.decisions, self.together = set(), {}, set()
        self._orders.put(job)
        self._wait()

    def go_on(self, order: Any = Fate.GO) -> None:
        """Do the statement before which it stands, or end its handler as `order` says; until the next one."""
        assert self.at != "idle", f"{self.name} has nothing to do"
        self._orders.put(order)
        self._wait()

    def look_again(self) -> None:
        """See whether it got the lock that it waits for."""
        if self.waits:
            self._wait()

    def dismiss(self) -> None:
        self._orders.put(None)
        self._thread.join(LONGEST_SECONDS)

    def _wait(self) -> None:
        # Whatever is raised here, it is told nothing more before it has come back.
        until, self.waits = time.monotonic() + LONGEST_SECONDS, True
        while time.monotonic() < until:
            with suppress(Empty):
                self.at, self.waits = self._reports.get(timeout=PATIENCE_SECONDS), False
                error, self._error = self._error, None
                if error is not None:
                    raise error
                return
            if _is_blocked(self._pid):
                return
        raise TimeoutError(f"{self.name} does not come back from {self.at}")

    # What its thread does.

    def work(self, message: Message) -> Any:
        """Stand in the handler until the driver says how it ends."""
        self.message = message
        self.together.discard(message.msg_id)
        if connection.in_atomic_block:
            self.together.add(message.msg_id)
        decision = self._stop("handler")
        self.decisions[message.msg_id], self.message = decision, None
        return decision

    def _live(self, app: Any) -> None:
        app.set_current()
        _here.process = self
        connection.execute_wrappers.append(self._statement)
        commit = connection._commit  # type: ignore[attr-defined]  # Django's own, which its stubs leave out
        connection._commit = lambda: self._fated("commit", commit)  # type: ignore[attr-defined]
        while (job := self._orders.get()) is not None:
            self._dead = False
            try:
                job()
            except Killed:
                pass
            except BaseException as error:  # noqa: BLE001 - the driver's thread raises it.
                self._error = error
            if connection.connection is not None and connection.connection.closed:
                # As the runner does, and Celery between two tasks.
                connection.close()
            self._reports.put("idle")
        connections.close_all()

    def _statement(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if str(sql).startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO")):
            return execute(sql, params, many, context)
        if isinstance(params, Mapping):
            self.tokens |= _pairs(params)
        locked = partial(execute, _TOO_LONG, None, False, context)
        return self._fated("statement", lambda: execute(sql, params, many, context), locked)

    def _fated(self, what: str, act: Callable[[], Any], locked: Callable[[], Any] | None = None) -> Any:
        fate = self._stop(what)
        Process.acts += 1
        if fate is Fate.CUT_BEFORE:
            self._lose_connection()
        done = locked() if fate is Fate.LOCKED and locked is not None else act()
        if fate is Fate.CUT_AFTER:
            self._lose_connection()
        return done

    def _stop(self, what: str) -> Any:
        if self._dead:
            raise Killed
        raw = connection.connection
        self._pid = raw.info.backend_pid if raw is not None else 0
        self._reports.put(what)
        order = self._orders.get()
        if order is Fate.KILL:
            self._dead = True
            Process.acts += 1
            if connection.connection is not None and not connection.connection.closed:
                connection.connection.rollback()
            raise Killed
        return order

    def _lose_connection(self) -> None:
        connection.connection.close()
        raise OperationalError("server closed the connection unexpectedly") from psycopg2.OperationalError()


_here = threading.local()


def here() -> Process:
    """The process that this thread is."""
    process: Process = _here.process
    return process


def _pairs(params: Mapping[str, Any]) -> set[Pair]:
    if "vt" in params:
        names = [("msg_id", "vt"), *([("next_msg_id", "next_vt")] if "next_vt" in params else [])]
        return {(params[msg_id], microseconds(params[vt])) for msg_id, vt in names}
    ids = params.get("msg_ids") or params.get("ids") or []
    return {(msg_id, microseconds(vt)) for msg_id, vt in zip(ids, params.get("vts", []), strict=False)}


def _is_blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])


@contextmanager
def on_stage(*names: str) -> Iterator[list[Process]]:
    """Processes with these names; at the end of the block they are killed, wherever they stand."""
    processes = [Process(name) for name in names]
    try:
        yield processes
    finally:
        clear(processes)
        for process in processes:
            process.dismiss()


def clear(processes: list[Process]) -> None:
    """Kill them all, and wait until they are gone."""
    while busy := [process for process in processes if process.at != "idle"]:
        for process in busy:
            process.look_again() if process.waits else process.go_on(Fate.KILL)
