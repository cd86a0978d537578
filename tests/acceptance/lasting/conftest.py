"""A database, a mail server, a storage and a broker for all of them, and the processes that work with these.

What a test has left in the database is taken out before the next one, when the processes have nothing to do.
"""

import os
from collections.abc import Iterator

import pytest
import redis
from pytest_django import DjangoDbBlocker

from sandbox.mailbox import Mailbox
from sandbox.storage import StorageServer
from tests.acceptance.conftest import QUICK
from tests.acceptance.lasting.processes import Inbox, Lasting
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import PGMQ_VERSIONS, ClonedDatabase, DatabaseServer

# What a dead worker had in hand is free soon; who kills each worker is given up at the second.
SHORT = {"PROBE_TIME_LIMIT": "3", "PROBE_MAX_RETRIES": "1"}

_QUEUES = ("email_queue", "probe_queue", "report_generation_queue")
_WAITING = " UNION ALL ".join(f"SELECT FROM pgmq.q_{queue}" for queue in _QUEUES)
_TABLES = (
    *(f"pgmq.{table}_{queue}" for queue in _QUEUES for table in "qa"),
    *("balansity.notifications_emailmessage", "balansity.probe_proberun"),
    *("balansity.reports_report", "balansity.reports_leftover"),
)
_EMPTY = "; ".join(f"DELETE FROM {table}" for table in _TABLES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name a version for each test, so that those of one version come together."""
    named = (mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "pgmq_version" in metafunc.fixturenames and "pgmq_version" not in named:
        metafunc.parametrize("pgmq_version", PGMQ_VERSIONS[:1], indirect=True, scope="package")


@pytest.fixture(scope="package")
def pgmq_version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="package")
def database(
    database_server: DatabaseServer, pgmq_version: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[ClonedDatabase]:
    """With the sample families in it."""
    with django_db_blocker.unblock(), database_server.clone(pgmq_version) as cloned:
        cloned.fill_with_samples()
        yield cloned


@pytest.fixture(scope="package")
def broker_url() -> Iterator[str]:
    url = os.environ["REDIS_URL"]
    with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture(scope="package")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with Mailbox(tmp_path_factory.mktemp("mail")) as server:
        yield server


@pytest.fixture(scope="package")
def storage_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageServer]:
    with StorageServer(tmp_path_factory.mktemp("storage")) as server:
        yield server


@pytest.fixture(scope="package")
def fleet(
    database: ClonedDatabase,
    broker_url: str,
    mail_server: Mailbox,
    storage_server: StorageServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    variables = {
        "DATABASE_URL": database.url,
        "REDIS_URL": broker_url,
        "SMTP_HOST": mail_server.host,
        "SMTP_PORT": str(mail_server.port),
        "REPORTS_STORAGE": "supabase",
        "SUPABASE_URL": storage_server.url,
        "SUPABASE_SERVICE_ROLE_KEY": storage_server.service_key,
        "LOG_DIR": str(folder / "logs"),
    }
    started = Fleet(folder, {**QUICK, **SHORT, **variables})
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="package")
def started(fleet: Fleet) -> Lasting:
    return Lasting(fleet)


@pytest.fixture
def emptied(started: Lasting, database: ClonedDatabase) -> None:
    """Nothing of the test before is there: what it still waits for comes to its end first."""
    started.worker()
    ledger = Ledger(database.url, "email_queue")
    wait_until(lambda: not ledger.rows(_WAITING), "the processes have nothing to do")
    ledger.execute(_EMPTY)


@pytest.fixture
def lasting(started: Lasting, emptied: None) -> Iterator[Lasting]:
    """The processes: there is a bridge and a worker."""
    yield started
    started.tell()


@pytest.fixture
def probe(database: ClonedDatabase) -> Ledger:
    return Ledger(database.url, "probe_queue")


@pytest.fixture
def mail(database: ClonedDatabase) -> Ledger:
    return Ledger(database.url, "email_queue")


@pytest.fixture
def mailbox(mail_server: Mailbox, emptied: None) -> Inbox:
    return Inbox(mail_server)


@pytest.fixture
def storage(storage_server: StorageServer, emptied: None) -> StorageServer:
    """Nothing lies in it, and nobody has asked it for anything."""
    storage_server.store.remove("reports", storage_server.object_keys())
    storage_server.requests.clear()
    storage_server.faults.clear()
    return storage_server
