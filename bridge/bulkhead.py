"""Keeps a service that answers slowly from holding all threads of a web process.

A thread that waits for YooKassa serves nobody else, and there are few of them: each keeps a connection to Postgres. So
no service outside may hold more than half of them, and all together leave one over, for what waits for none of them:
`/health`, the notifications, and reading. Workers are not limited, they have nothing else to do meanwhile.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# One that answers in time makes room within this; whoever waits for it still leaves a thread over.
PATIENCE_SECONDS = 0.25
# Within this nobody minds that none is left over: the calls of a page arrive at once.
BRIEF_SECONDS = 0.05


class Crowded(Exception):
    """As many threads as may wait for that service do so already. Nothing was sent."""


class Bulkhead:
    """Room for the threads of one process, shared by the services that they wait for."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each, self._together = max(1, threads // 2), max(1, threads - 1)
        self._clock = clock
        self._changed = threading.Condition()
        # When each thread that is inside began to wait, by service.
        self._inside: dict[str, list[float]] = {}
        self._queueing = 0

    @contextmanager
    def waiting_for(self, service: str, *, brief: bool = False) -> Iterator[None]:
        """Hold a place while the block asks `service`. Raises `Crowded` at once when there is none.

        "At once" has one exception: while those inside have only just begun, it waits a moment, as they may be done.
        That moment is the shortest for a `brief` question, which usually takes less than a millisecond.
        """
        with self._changed:
            began = self._enter(service, BRIEF_SECONDS if brief else PATIENCE_SECONDS)
        try:
            yield
        finally:
            with self._changed:
                self._inside[service].remove(began)
                self._changed.notify_all()

    def _enter(self, service: str, patience: float) -> float:
        # Whoever queues counts as well: it holds a thread.
        if self._total() + self._queueing >= self._together:
            patience = min(patience, BRIEF_SECONDS)
        self._queueing += 1
        try:
            wait = self._latest(service) + patience - self._clock()
            if not self._changed.wait_for(lambda: self._has_room(service), max(0.0, wait)):
                raise Crowded(service)
        finally:
            self._queueing -= 1
        began = self._clock()
        self._inside.setdefault(service, []).append(began)
        return began

    def _has_room(self, service: str) -> bool:
        return len(self._inside.get(service, ())) < self._each and self._total() < self._together

    def _latest(self, service: str) -> float:
        """When the youngest of those began who are in the way."""
        own = self._inside.get(service, [])
        in_the_way = own if len(own) >= self._each else itertools.chain.from_iterable(self._inside.values())
        return max(in_the_way, default=self._clock())

    def _total(self) -> int:
        return sum(len(inside) for inside in self._inside.values())


_bulkhead: Bulkhead | None = None


def limit_waiting(threads: int | None) -> None:
    """Limit what this process's threads wait for from now on; `None` ends that. For a web process, as it starts."""
    global _bulkhead  # noqa: PLW0603 # One for each process, like its threads.
    _bulkhead = None if threads is None else Bulkhead(threads)


@contextmanager
def waiting_for(service: str, *, brief: bool = False) -> Iterator[None]:
    """Ask `service` inside the block. Raises `Crowded` in a web process whose threads wait for it already."""
    if _bulkhead is None:
        yield
        return
    with _bulkhead.waiting_for(service, brief=brief):
        yield
