"""The probe queue of a test's own database, and deliveries as a worker would get them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection

from bridge.daemon.publisher import BUNDLE_TASK, Publisher
from bridge.message import Delivery, Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import registry
from sandbox.probe.apps import QUEUE
from tests.support import deliveries
from tests.support.databases import ClonedDatabase, DatabaseServer

if TYPE_CHECKING:
    from bridge.daemon.drain import Drain

Handle = Callable[[Message], Any]
RunBundle = Callable[[Sequence[Delivery]], None]


@pytest.fixture
def probe(database: ClonedDatabase) -> PgmqQueue:
    """The queue whose deliveries say what their handler does."""
    return pgmq_queue(QUEUE)


@pytest.fixture
def run_delivery(probe: PgmqQueue) -> Callable[[Delivery], None]:
    """Run the task of a delivery that was read, as the worker's child does; raises what Celery would see."""
    current_app.loader.import_default_modules()
    return partial(deliveries.run, current_app.tasks["probe.run"])


@pytest.fixture
def run_bundle(probe: PgmqQueue) -> RunBundle:
    """Run deliveries in one task, as the worker's child does; raises what Celery would see."""
    current_app.loader.import_default_modules()

    def run(carried: Sequence[Delivery]) -> None:
        coordinates = [
            [one.msg_id, one.token.vt.isoformat(), f"trace-{one.msg_id}", one.history.attempts] for one in carried
        ]
        current_app.tasks[BUNDLE_TASK].apply(args=(QUEUE, coordinates), throw=True)

    return run


@pytest.fixture
def transactional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the probe's queue one whose handler has no effect but rows."""
    current_app.loader.import_default_modules()
    monkeypatch.setattr(type(current_app.tasks["probe.run"]), "transactional", True)


@pytest.fixture
def handle(transactional: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Handle], None]:
    """Let the probe do, in a bundle alone, what no message can ask for."""

    def replace(act: Handle) -> None:
        monkeypatch.setattr(type(current_app.tasks["probe.run"]), "handler", staticmethod(act))

    return replace


@pytest.fixture
def line(broker_url: str) -> Iterator["redis.Redis"]:
    """The broker as a client sees it; the Celery queue of the probe is its list `probe`."""
    with redis.Redis.from_url(broker_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    with Publisher(current_app) as publisher:
        yield publisher


@pytest.fixture
def drain(probe: PgmqQueue, publisher: Publisher) -> "Drain":
    # It knows models, which can be imported once Django is set up: after this file is read.
    from bridge.daemon.drain import Drain  # noqa: PLC0415

    return Drain(registry.get(QUEUE), publisher)


@pytest.fixture
def read_one(probe: PgmqQueue) -> Callable[[], Delivery]:
    """Read the one delivery that is due, or is waiting for its time."""

    def read() -> Delivery:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second'")
        (delivery,) = probe.read(limit=1, lease=settings.BRIDGE_DISPATCH_LEASE)
        return delivery

    return read


def archived(queue: PgmqQueue, msg_id: int) -> dict[str, Any]:
    history = queue.archived_history(msg_id)
    assert history is not None, f"{msg_id} is not in the archive"
    return history


@pytest.fixture
def plain_role(database: ClonedDatabase, admin_of_database: str) -> Iterator[None]:
    """Let Django work as a role with the owner's rights, which passes no row security that is forced."""
    name, settings = f"plain_{os.getpid()}", connection.settings_dict
    with closing(psycopg2.connect(admin_of_database)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'plain' NOBYPASSRLS IN ROLE {settings['USER']}")
        before = {key: settings[key] for key in ("USER", "PASSWORD")}
        connection.close()
        settings.update(USER=name, PASSWORD="plain")
        try:
            yield
        finally:
            connection.close()
            settings.update(before)
            cursor.execute(f"DROP ROLE {name}")


@pytest.fixture
def admin_of_database(database: ClonedDatabase, database_server: DatabaseServer) -> str:
    """The superuser's address of the test's database."""
    return f"{database_server.admin_url.rpartition('/')[0]}/{database.name}"
