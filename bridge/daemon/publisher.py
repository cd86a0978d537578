"""The bridge's side of the broker: how long a line is, and tasks put at its end."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import KombuError

from bridge.errors import BrokerAway
from bridge.message import Delivery, Token
from bridge.queues import BUNDLE_SECONDS, Queue

BUNDLE_TASK = "bridge.deliver_bundle"

# What a bundle says of each delivery: msg_id, vt, trace id, attempts used. Workers of other versions read it as well.
Coordinates = tuple[int, str, str, int]


class Publisher:
    """One connection to the broker, opened when needed and dropped at the first error. Not for use by two threads."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        transport = app.connection_for_write()
        self._broken: tuple[type[BaseException], ...] = (
            *(OSError, KombuError),
            *transport.connection_errors,
            *transport.channel_errors,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the broker has answered whatever it was last asked."""
        return self._producer is not None

    def line_length(self, celery_queue: str) -> int:
        """How many tasks wait for a worker in this line, by the broker's own count. Raises `BrokerAway`."""
        with self._reaching_broker():
            # Declaring a queue that exists changes nothing, and its answer holds the count with every transport.
            channel: Any = self._open().channel
            return int(channel.queue_declare(queue=celery_queue, durable=True).message_count)

    def publish(self, queue: Queue, deliveries: list[Delivery], *, bundle_size: int) -> list[int]:
        """Put the deliveries into the line of their kind, `bundle_size` to a task; returns the size of each task.

        Only coordinates travel: no body, so nothing personal passes through the broker. Raises `BrokerAway`, and then
        any part of them may have been published.
        """
        sizes = []
        with self._reaching_broker():
            producer = self._open()
            # A batch saves round trips, and costs one of its own where there is a single task.
            many: AbstractContextManager[object] = (
                producer.batch()  # type: ignore[attr-defined]  # new in kombu 5.7, unknown to its stubs
                if len(deliveries) > bundle_size
                else nullcontext()
            )
            with many:
                for start in range(0, len(deliveries), bundle_size):
                    bundle = deliveries[start : start + bundle_size]
                    self._send(producer, queue, bundle)
                    sizes.append(len(bundle))
        return sizes

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.release()

    @contextmanager
    def _reaching_broker(self) -> Iterator[None]:
        """Turn what a broken broker raises into `BrokerAway`, and drop the connection."""
        try:
            yield
        except self._broken as error:
            self.close()
            raise BrokerAway(f"{type(error).__name__}: {error}") from error

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=0)
            self._producer = self._app.amqp.Producer(self._connection.channel(), auto_declare=False)
        return self._producer

    def _send(self, producer: Producer, queue: Queue, bundle: list[Delivery]) -> None:
        first = bundle[0]
        options: dict[str, Any] = {
            "queue": queue.celery_queue,
            # Readable in Flower, and unlike a random id the same for the log of the bridge and of the worker.
            "task_id": f"{queue.name}-{first.msg_id}-{first.read_ct}",
            "producer": producer,
            "retry": False,
            "ignore_result": True,
            "kwargsrepr": "{}",
        }
        if len(bundle) == 1:
            args: list[Any] = [queue.name, first.msg_id, first.token.vt.isoformat(), first.history.trace_id]
            name, options["retries"] = queue.task, first.history.attempts
        else:
            args = [queue.name, [[*_coordinates(message)] for message in bundle]]
            name, options["task_id"] = BUNDLE_TASK, f"{options['task_id']}-and-{len(bundle) - 1}"
            options["time_limit"] = queue.time_limit + BUNDLE_SECONDS
            options["soft_time_limit"] = queue.soft_time_limit + BUNDLE_SECONDS
        self._app.send_task(name, args=args, argsrepr=f"({queue.name}, {first.msg_id})", **options)


def token_of(coordinates: Coordinates) -> Token:
    """What opens a delivery of a bundle."""
    return Token(coordinates[0], datetime.fromisoformat(coordinates[1]))


def _coordinates(delivery: Delivery) -> Coordinates:
    return delivery.msg_id, delivery.token.vt.isoformat(), delivery.history.trace_id, delivery.history.attempts
