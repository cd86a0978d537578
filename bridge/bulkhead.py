"""Keeps a service that answers slowly from holding all threads of a web process.

A thread that waits for YooKassa serves nobody else, and there are few of them: each keeps a connection to Postgres. So
no service outside may hold more than half of them, and all together leave one over, for what waits for none of them:
`/health`, the notifications, and reading. One customer holds at most half of a service's places, so that whoever calls
often while it is slow keeps nobody else from it. Workers are not limited, they have nothing else to do meanwhile.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

# One that answers in time makes room within this; whoever waits for it still leaves a thread over.
PATIENCE_SECONDS = 0.25
# Within this nobody minds that none is left over: the calls of a page arrive at once.
BRIEF_SECONDS = 0.05
# How long the second call of one customer waits for the first: the second click of a double click is no attack.
OWN_PATIENCE_SECONDS = 2.0

_caller: ContextVar[str] = ContextVar("caller", default="")


class Crowded(Exception):
    """As many threads as may wait for that service do so already. Nothing was sent."""


@dataclass(eq=False, slots=True)
class _Place:
    """When its thread began to wait, and for which customer."""

    began: float
    caller: str


class Bulkhead:
    """Room for the threads of one process, shared by the services that they wait for."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each, self._together = max(1, threads // 2), max(1, threads - 1)
        self._of_one = max(1, self._each // 2)
        self._clock = clock
        self._changed = threading.Condition()
        self._inside: dict[str, list[_Place]] = {}
        self._queueing = 0
        # Customers whose second call waits for their first.
        self._behind_themselves: set[str] = set()

    @contextmanager
    def waiting_for(self, service: str, *, brief: bool = False) -> Iterator[None]:
        """Hold a place while the block asks `service`. Raises `Crowded` at once when there is none.

        "At once" has one exception: while those inside have only just begun, it waits a moment, as they may be done.
        That moment is the shortest for a `brief` question, which usually takes less than a millisecond.
        """
        with self._changed:
            place = self._enter(service, _caller.get(), BRIEF_SECONDS if brief else PATIENCE_SECONDS)
        try:
            yield
        finally:
            with self._changed:
                self._inside[service].remove(place)
                self._changed.notify_all()

    def _enter(self, service: str, caller: str, patience: float) -> _Place:
        wait = self._latest(service) + self._within(patience) - self._clock()
        comes_again = self._has_all_of_one(service, caller)
        if comes_again:
            if caller in self._behind_themselves:
                raise Crowded(service)
            self._behind_themselves.add(caller)
            wait = self._within(OWN_PATIENCE_SECONDS)
        self._queueing += 1
        try:
            if not self._changed.wait_for(lambda: self._has_room(service, caller), max(0.0, wait)):
                raise Crowded(service)
        finally:
            self._queueing -= 1
            if comes_again:
                self._behind_themselves.discard(caller)
        place = _Place(self._clock(), caller)
        self._inside.setdefault(service, []).append(place)
        return place

    def _within(self, patience: float) -> float:
        # Whoever queues counts as well: it holds a thread.
        return min(patience, BRIEF_SECONDS) if self._total() + self._queueing >= self._together else patience

    def _has_room(self, service: str, caller: str) -> bool:
        is_full = len(self._inside.get(service, ())) >= self._each or self._total() >= self._together
        return not is_full and not self._has_all_of_one(service, caller)

    def _has_all_of_one(self, service: str, caller: str) -> bool:
        return bool(caller) and sum(one.caller == caller for one in self._inside.get(service, ())) >= self._of_one

    def _latest(self, service: str) -> float:
        """When the youngest of those began who are in the way."""
        own = self._inside.get(service, [])
        in_the_way = own if len(own) >= self._each else itertools.chain.from_iterable(self._inside.values())
        return max((one.began for one in in_the_way), default=self._clock())

    def _total(self) -> int:
        return sum(len(inside) for inside in self._inside.values())


_bulkhead: Bulkhead | None = None


def limit_waiting(threads: int | None) -> None:
    """Limit what this process's threads wait for from now on; `None` ends that. For a web process, as it starts."""
    global _bulkhead  # noqa: PLW0603 # One for each process, like its threads.
    _bulkhead = None if threads is None else Bulkhead(threads)


@contextmanager
def nobodys_request() -> Iterator[None]:
    """Handle one request inside the block: it is nobody's until `called_by` says whose it is."""
    token = _caller.set("")
    try:
        yield
    finally:
        _caller.reset(token)


def called_by(customer: str) -> None:
    """Say whose request this is, by which the places of one customer are counted."""
    _caller.set(customer)


@contextmanager
def waiting_for(service: str, *, brief: bool = False) -> Iterator[None]:
    """Ask `service` inside the block. Raises `Crowded` in a web process whose threads wait for it already."""
    if _bulkhead is None:
        yield
        return
    with _bulkhead.waiting_for(service, brief=brief):
        yield
