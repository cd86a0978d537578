"""The connections to Postgres that the threads of a web process share.

A thread has one from its first question to the end of its request. So there are as many as requests that are at work,
at most `WEB_CONNECTIONS`, and what nobody needed for a few seconds is closed: a pooler in session mode has fifteen
places for everybody. Who finds none waits a moment for a thread that is done; then it is an outage, and the answer 503.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from bridge.budget import is_full
from bridge.wish import ask_for_a_place, is_a_place_wanted

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 3.0
IDLE_SECONDS = 5.0
LOOK_EVERY_SECONDS = 1.0
# How long nobody tries to open another after a refusal.
REFUSED_SECONDS = 0.5
# What is left to a web process while somebody has none.
LEAST = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection, what its session looked like (`None`: it is new), and when it was given back."""

    raw: Any
    session: tuple[Any, ...] | None = None
    since: float = field(default_factory=time.monotonic)


class Pool:
    """At most `size` connections of one process, the latest used first."""

    def __init__(
        self,
        size: int,
        is_wanted: Callable[[], bool] = is_a_place_wanted,
        ask: Callable[[], None] = ask_for_a_place,
    ) -> None:
        self._size = size
        self._is_wanted, self._ask = is_wanted, ask
        self._changed = threading.Condition()
        self._free: list[Kept] = []
        self._open = 0
        self._refused_until = 0.0
        self._wanted = False
        self._keeper: threading.Thread | None = None

    def take(self, open_one: Callable[[], Any], is_good: Callable[[Kept], bool]) -> Kept:
        """Return one that is free and good, or a new one. Raises what `open_one` raises, and `OperationalError`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            kept = self._next(until)
            if kept is None:
                try:
                    return Kept(open_one())
                except BaseException as error:
                    if not self._may_wait_after(error) or time.monotonic() >= until:
                        raise
            elif is_good(kept):
                return kept
            else:
                kept.raw.close()
                self.forget()

    def give_back(self, kept: Kept) -> None:
        with self._changed:
            if not (self._wanted and self._open > LEAST):
                self._free.append(kept)
                self._changed.notify()
                self._keep_house()
                return
        kept.raw.close()
        self.forget()

    def forget(self) -> None:
        """Note that one that was taken is closed."""
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _next(self, until: float) -> Kept | None:
        """One that is free, or `None` for the right to open one."""
        with self._changed:
            while True:
                if self._free:
                    return self._free.pop()
                if time.monotonic() >= self._refused_until and self._open < (LEAST if self._wanted else self._size):
                    self._open += 1
                    return None
                now = time.monotonic()
                if now >= until:
                    raise psycopg2.OperationalError("no connection to Postgres was free in time, and none to be had")
                # Also for the moment in which another try makes sense.
                again = self._refused_until if self._refused_until > now else now + REFUSED_SECONDS
                self._changed.wait(min(until, again) - now)

    def _may_wait_after(self, error: BaseException) -> bool:
        """Note that none could be opened; returns whether waiting for a thread, or another process, may help."""
        refused = is_full(error)
        with self._changed:
            self._open -= 1
            self._changed.notify()
            if refused:
                self._refused_until = time.monotonic() + REFUSED_SECONDS
            has_none = not self._open
        if refused and has_none:
            self._ask()
        return refused

    def _keep_house(self) -> None:
        if self._keeper is None or not self._keeper.is_alive():
            self._keeper = threading.Thread(target=self._look_after, name="connections", daemon=True)
            self._keeper.start()

    def _look_after(self) -> None:
        """Close what is idle, or what somebody needs more, until nothing is left to look after."""
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            wanted = self._is_wanted()
            with self._changed:
                if wanted and not self._wanted:
                    logger.warning("a process has no connection to Postgres: this one does with %s for now", LEAST)
                self._wanted = wanted
                closing = self._surplus()
                self._open -= len(closing)
                if self._open <= 0:
                    self._keeper = None
            for kept in closing:
                kept.raw.close()
            if self._keeper is not threading.current_thread():
                return

    def _surplus(self) -> list[Kept]:
        old = time.monotonic() - IDLE_SECONDS
        closing = [kept for kept in self._free if kept.since < old]
        self._free = [kept for kept in self._free if kept.since >= old]
        while self._wanted and self._free and self._open - len(closing) > LEAST:
            closing.append(self._free.pop(0))
        return closing


_pool: Pool | None = None


def share_connections(size: int) -> None:
    """Let the threads of this process share connections from now on. For a web process, as it starts."""
    global _pool  # noqa: PLW0603 # One for each process, like its threads.
    _pool = Pool(size)


def shared() -> Pool | None:
    return _pool
