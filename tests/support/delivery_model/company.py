"""What bridges, workers and operators do: the product's own functions, each as one job of a process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

from celery.exceptions import Ignore, Retry
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from bridge.breaker import Verdict, asking, services
from bridge.breaker.watch import end_turn, lift_forgotten, open_services, take_turn
from bridge.daemon.drain import Drain
from bridge.daemon.flow import Flow
from bridge.errors import Away, BrokerAway, DuplicateMessage, NotYet, PermanentError, Refused
from bridge.message import Message
from bridge.operations.discard import discard
from bridge.operations.pausing import pause, resume
from bridge.operations.requeue import requeue
from bridge.operations.retry import retry_now
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.rollup.passing import roll_up
from sandbox.probe.apps import QUEUE
from tests.support.delivery_model.books import Decision
from tests.support.delivery_model.clock import SCHEMA, Clock
from tests.support.delivery_model.line import Line, Task
from tests.support.delivery_model.stage import here
from tests.support.outages import NAME
from tests.support.requeueing import SOMEBODY

PAUSE_SECONDS = 60


class Failed(Exception):
    """The handler has no luck."""


class Bridge:
    """One daemon: what it keeps in memory is gone when it is killed."""

    def __init__(self, name: str, tasks: list[Task]) -> None:
        self.name, self.line = name, Line(tasks)
        self._drain = Drain(registry.get(QUEUE), self.line)

    def look(self, bundle_size: int, breaks_after: int | None) -> None:
        """One turn of its loop: read and publish, then see what is to be looked at next."""
        self.line.breaks_after, self._drain.flow = breaks_after, _Bundling(bundle_size)
        with suppress(BrokerAway, DatabaseError, InterfaceError):
            self._drain.look()
            self._drain.outlook()

    def probe(self) -> None:
        """One turn of its prober; the look at the service takes no time."""
        with suppress(DatabaseError, InterfaceError):
            lift_forgotten()
            for name in open_services():
                if take_turn(name, self.name):
                    service = services.get(name)
                    assert service is not None
                    end_turn(name, self.name, service.look())


class _Bundling(Flow):
    """A line that is always empty, and takes bundles of this size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    @property
    def bundle_size(self) -> int:
        return self._size


def deliver(task: Task) -> None:
    """What a worker's child does with a task; how that ends is Celery's affair."""
    with suppress(Ignore, Retry, PermanentError, Failed, ConnectionRefusedError, DatabaseError, InterfaceError):
        task.run()


def handle(message: Message) -> Callable[[], None]:
    """The handler of the queue, which ends as the driver says."""
    decision = here().work(message)
    match decision:
        case Decision.FAIL:
            raise Failed("no luck")
        case Decision.PERMANENT:
            raise PermanentError("never")
        case Decision.REFUSED:
            raise Refused("not for us")
        case Decision.DUPLICATE:
            raise DuplicateMessage("the same", original=1)
        case Decision.NOT_YET:
            raise NotYet("others go first", seconds=3)
        case Decision.AWAY | Decision.ANSWERED:
            with asking(NAME, message, lambda error: Verdict(Away.AWAY, str(error))):
                if decision is Decision.AWAY:
                    raise ConnectionRefusedError("the lab is away")
    return partial(_record, message)


def _record(message: Message) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {SCHEMA}.effect VALUES (%(id)s, %(attempt)s)",
            {"id": message.msg_id, "attempt": message.history.attempts},
        )


def prune() -> None:
    """What beat asks for every night, of this queue alone."""
    roll_up(QUEUE)
    pgmq_queue(QUEUE).prune(days=settings.BRIDGE_ARCHIVE_DAYS, limit=5000)


# By name, with the message that is meant where one is.
ACTS: dict[str, Callable[[int], object]] = {
    "pause": lambda _: pause(QUEUE, SOMEBODY),
    "pause for a while": lambda _: pause(QUEUE, SOMEBODY, until=timedelta(seconds=PAUSE_SECONDS)),
    "resume": lambda _: resume(QUEUE, SOMEBODY),
    "requeue": lambda msg_id: requeue(QUEUE, [msg_id], actor=SOMEBODY),
    "retry now": lambda msg_id: retry_now(QUEUE, [msg_id], actor=SOMEBODY),
    "discard": lambda msg_id: discard(QUEUE, [msg_id], actor=SOMEBODY),
    "prune": lambda _: prune(),
}


def act(name: str, msg_id: int) -> None:
    with suppress(DatabaseError, InterfaceError):
        ACTS[name](msg_id)


def lock_messages() -> None:
    """What no process of ours does: hold on to the rows of the queue."""
    with suppress(DatabaseError, InterfaceError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM pgmq.q_{QUEUE} FOR UPDATE SKIP LOCKED")


@contextmanager
def at_work(task: Any, clock: Clock) -> Iterator[None]:
    """Let the task of the queue call `handle`, and nobody sleep or go by another clock."""

    def run(message: Message) -> None:
        task.end(message, handle(message))

    time = SimpleNamespace(monotonic=lambda: clock.passed, sleep=lambda _seconds: None)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(task, "_orig_run", run))
        for module in ("outcome", "daemon.drain", "worker.bundle", "worker.together"):
            stack.enter_context(mock.patch(f"bridge.{module}.time", time))
        yield


@contextmanager
def together(task: Any) -> Iterator[None]:
    """Let bundles run in one transaction: the handler needs no service, and has no effect but rows."""
    queue = registry.get(QUEUE)
    registry._queues[QUEUE] = replace(queue, services=())
    try:
        with mock.patch.object(task, "transactional", True), mock.patch.object(task, "handler", handle):
            yield
    finally:
        registry._queues[QUEUE] = queue
