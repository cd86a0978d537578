"""A database, a mail server and a broker of the test's own, and the processes that work with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sandbox.mailbox import Mailbox
from sandbox.services.broker import Broker
from sandbox.services.process import free_port
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.support.clusters import original_in
from tests.support.databases import ClonedDatabase, DatabaseServer

# What passes by itself in production, as short as it may be. How long an attempt may take is left as it is there: on a
# busy machine, one that is ended early after its mail was taken sends a second copy. Who needs an end says so.
QUICK = {
    "BRIDGE_DISPATCH_LEASE": "2",
    "BRIDGE_LEASE_MARGIN": "1",
    "BRIDGE_DELAY_SCALE": "0.1",
    "WORKER_INTERVAL_MS": "300",
}


@pytest.fixture
def fleet(database: ClonedDatabase, broker_url: str, mailbox: Mailbox, tmp_path: Path) -> Iterator[Fleet]:
    """Starts bridges and workers on `database`, `broker_url` and `mailbox`; kills them at the end of the test."""
    started = Fleet(
        tmp_path,
        {
            **QUICK,
            "DATABASE_URL": database.url,
            "REDIS_URL": broker_url,
            "SMTP_HOST": mailbox.host,
            "SMTP_PORT": str(mailbox.port),
            "LOG_DIR": str(tmp_path / "logs"),
        },
    )
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def probe(database: ClonedDatabase) -> Ledger:
    """The queue whose messages say what their handler does (`sandbox.probe.tasks`)."""
    return Ledger(database.url, "probe_queue", create=True)


@pytest.fixture
def short_leases(fleet: Fleet) -> None:
    """What a dead worker had in hand is free soon, and an attempt of the probe has less time."""
    fleet.variables["PROBE_TIME_LIMIT"] = "3"


@pytest.fixture
def mail(database: ClonedDatabase) -> Ledger:
    """The mail queue."""
    return Ledger(database.url, "email_queue")


@pytest.fixture
def line(broker_url: str) -> Iterator["redis.Redis"]:
    """The broker as a client sees it; the Celery queue of the probe is its list `probe`."""
    with redis.Redis.from_url(broker_url, socket_timeout=5, socket_connect_timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def cluster(database_server: DatabaseServer) -> Path:
    """What a Postgres of one's own is a copy of."""
    return original_in(database_server.folder)


@pytest.fixture
def own_broker(fleet: Fleet, tmp_path: Path) -> Iterator[Broker]:
    """A broker that may be killed. The fleet uses it from now on; it comes back empty, on the same port."""
    folder = tmp_path / "own"
    folder.mkdir()
    broker = Broker(folder, durable=False, port=free_port())
    broker.start()
    fleet.variables["REDIS_URL"] = broker.url()
    try:
        yield broker
    finally:
        # Before their broker goes, or they would complain about it in the logs of a test that failed.
        fleet.close()
        broker.stop()
