"""A worker's connection to a broker that was killed can be closed, whatever the worker still holds."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app, signals
from kombu import Connection, Consumer, Producer, Queue
from kombu.transport import redis

from sandbox.services.broker import Broker
from sandbox.services.process import free_port


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path, durable=False, port=free_port())
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def as_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Channel, "QoS", redis.QoS)
    signals.celeryd_init.send(sender="worker@test", instance=None, conf=current_app.conf, options={})


def _hold_a_task(connection: Connection) -> None:
    """Leave a connection as a worker's is while it waits: both channels ask for tasks, and one holds one."""
    held: list[Any] = []
    holding: Any = connection.default_channel
    tasks, more = Queue("tasks", routing_key="tasks"), Queue("more", routing_key="more")
    tasks(holding).declare()
    Producer(holding).publish({}, routing_key="tasks")
    taking = Consumer(holding, [tasks], callbacks=[lambda _, message: held.append(message)], accept=["json"])
    taking.consume()
    connection.drain_events(timeout=5)
    assert len(held) == 1
    holding.qos.prefetch_count = 2
    waiting: Any = connection.channel()
    more(waiting).declare()
    Consumer(waiting, [more]).consume()
    # What the worker's event loop does before each of its turns.
    transport: Any = connection.transport
    for channel in (holding, waiting):
        transport.cycle._register_BRPOP(channel)


def _close_as_celery_does(connection: Connection) -> None:
    connection.collect(socket_timeout=1)
    connection.close()


@pytest.mark.usefixtures("as_a_worker")
def test_a_connection_whose_broker_was_killed_closes_with_a_task_in_hand(own_broker: Broker) -> None:
    connection = Connection(own_broker.url())
    _hold_a_task(connection)
    os.kill(own_broker.pid, signal.SIGKILL)
    _close_as_celery_does(connection)
    assert not connection.connected


@pytest.mark.usefixtures("as_a_worker")
def test_a_worker_that_stops_in_order_gives_its_task_back(own_broker: Broker) -> None:
    connection = Connection(own_broker.url())
    _hold_a_task(connection)
    connection.close()
    with Connection(own_broker.url()) as another:
        channel: Any = another.default_channel
        assert channel.queue_declare(queue="tasks", passive=True).message_count == 1
