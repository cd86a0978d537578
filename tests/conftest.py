"""One sandbox for the whole run, a database of its own for each test that asks for one, a mail server, a broker.

The sandbox is started before Django reads its settings, by the process that starts the workers of pytest-xdist; they
find it through the environment. It never uses a `DATABASE_URL` or `REDIS_URL` from outside: tests empty what they use.
"""

import gc
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import httpx
import hypothesis
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.core import mail
from django.test.utils import setup_test_environment, teardown_test_environment
from httpx._transports import default as httpx_transport
from pytest_django import DjangoDbBlocker, Settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from bridge.seldom import FewAnHour, HourlyCount, Seldom
from sandbox.mailbox import Mailbox
from sandbox.services.authority import Authority
from sandbox.services.sandbox import Sandbox
from sandbox.yookassa import YooKassaServer
from tests.acceptance.starter import start_server, use_inherited_server
from tests.support.databases import PGMQ_VERSIONS, ClonedDatabase, DatabaseServer
from tests.support.forked_workers import waits
from tests.support.frozen_time import ask_once_for_all_forks, ask_quicker
from tests.support.in_memory import folder_of_services
from tests.support.marked_fixtures import MarkedFixtures
from tests.support.network import only_this_machine
from tests.support.thrift import quick_looks

SERVER = "BALANSITY_TEST_SERVER"

# A busy machine is no reason to fail: neither the time of one example nor that of drawing it says anything here.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")
# For `--hypothesis-profile thorough`: what a person starts who has changed the protocol of deliveries, and an hour.
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("suite"), max_examples=5000)

_SANDBOX = pytest.StashKey[Sandbox]()
# What the modules of this process count, to write few lines an hour about what anybody may cause.
_HOURLY: list[Seldom | FewAnHour | HourlyCount] = []


def _remember(kind: type[Any]) -> None:
    """Keep those of middleware and views in mind as well, which are loaded with the first request."""
    made = kind.__init__

    def make(self: Any, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        _HOURLY.append(self)

    kind.__init__ = make


for _kind in (Seldom, FewAnHour, HourlyCount):
    _remember(_kind)

ask_quicker()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_pgmq: run the test on each supported version of pgmq")
    config.pluginmanager.register(MarkedFixtures())
    if SERVER not in os.environ:
        config.stash[_SANDBOX] = _start_sandbox()
    _take_own_broker(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1)


@pytest.hookimpl(optionalhook=True)
def pytest_forked(number: int) -> None:
    _take_own_broker(number + 1)
    use_inherited_server()
    # It has read the settings while the tests were collected.
    current_app.conf.update(broker_url=settings.CELERY_BROKER_URL)


def _take_own_broker(number: int) -> None:
    # Changed and not given beforehand: in a worker, pytest-django has read the settings before it asks us.
    url = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{number}"
    os.environ["REDIS_URL"] = settings.REDIS_URL = settings.CELERY_BROKER_URL = url
    settings.CACHES["default"]["LOCATION"] = url


def _start_sandbox() -> Sandbox:
    # A test run that is told to stop takes its services along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    root = folder_of_services()
    sandbox = Sandbox(f"test-{os.getpid()}", root=root, variables={}, durable=False, seed=False, keep=False)
    sandbox.start()
    os.environ.update(sandbox.environment)
    os.environ[SERVER] = DatabaseServer(sandbox.folder, sandbox.postgres.admin_url()).to_text()
    # Nobody here has a certificate of the world's authorities, whom each client of TLS would read in longer than most
    # tests take.
    os.environ["SSL_CERT_FILE"] = str(Authority(sandbox.folder, "authority-of-nobody").file)
    # Tests that are not about the wait for the front end's own row see bookings at once; those that are say so.
    os.environ["APPOINTMENT_WAIT_SECONDS"] = "0"
    # Nearly all that tests ask for comes from one address, and much of it is refused.
    os.environ["API_THROTTLE_REFUSED"] = "1000000"
    # And they ask about a payment as soon as something has happened to it; how often others may ask has its own tests.
    os.environ["YUKASSA_ASK_PAUSE_SECONDS"] = "0"
    # The usual settings and a queue whose messages say what their handler does.
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.probe.settings"
    return sandbox


def pytest_unconfigure(config: pytest.Config) -> None:
    sandbox = config.stash.get(_SANDBOX, None)
    if sandbox is not None:
        sandbox.stop()
        del os.environ[SERVER]


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("forks", 0) and any(_starts_processes(item) for item in session.items):
        start_server()
    if session.config.getoption("forks", 0):
        ask_once_for_all_forks()
    # Before they are frozen: what is, is listed no more.
    _HOURLY.extend(one for one in gc.get_objects() if type(one) in (Seldom, FewAnHour, HourlyCount))
    # What is loaded by now stays. Going over it again and again is a tenth of all the work of a run.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _starts_processes(item: pytest.Item) -> bool:
    return waits(item) or hasattr(getattr(item, "module", None), "starter")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: in whatever order the rest comes, nobody waits for it alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("every_pgmq") and "pgmq_version" in metafunc.fixturenames:
        metafunc.parametrize("pgmq_version", PGMQ_VERSIONS, indirect=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop() -> Generator[None, object, object]:
    """What all tests have is no fixture: each test would ask anew whether it is set up."""
    setup_test_environment(debug=False)
    try:
        with only_this_machine(), _one_trust_store(), quick_looks():
            return (yield)
    finally:
        teardown_test_environment()


@contextmanager
def _one_trust_store() -> Iterator[None]:
    """Reading the certificates of the world takes longer than most tests, and each client of a storage would do so."""
    contexts: dict[Any, ssl.SSLContext] = {}

    def once(**asked: Any) -> ssl.SSLContext:
        # Where they are read from may be said by these.
        key = (*asked.items(), os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        return contexts.get(key) or contexts.setdefault(key, httpx.create_ssl_context(**asked))

    with mock.patch.object(httpx_transport, "create_ssl_context", once):
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What other tests had refused must not keep back the lines that this one looks for, nor their mail be counted."""
    for one in _HOURLY:
        one._counts.clear()
        if isinstance(one, Seldom):
            one._quiet_until.clear()
    mail.outbox.clear()


@pytest.fixture(scope="session")
def django_db_setup() -> NoReturn:
    """Take the place of pytest-django's test database, which knows neither pgmq nor Supabase's tables."""
    pytest.fail("use the fixture `database` instead of pytest-django's `db` and `django_db`", pytrace=False)


@pytest.fixture(scope="session")
def database_server() -> DatabaseServer:
    return DatabaseServer.from_text(os.environ[SERVER])


@pytest.fixture
def pgmq_version(request: pytest.FixtureRequest) -> str:
    """The version of pgmq in `database`: the newest, or each in turn with the marker `every_pgmq`."""
    return str(getattr(request, "param", PGMQ_VERSIONS[0]))


@pytest.fixture
def database(
    database_server: DatabaseServer, pgmq_version: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[ClonedDatabase]:
    """A database of the test's own: Supabase's side without data, our migrations applied. Django uses it."""
    with django_db_blocker.unblock(), database_server.clone(pgmq_version) as cloned:
        yield cloned


@pytest.fixture
def seeded_database(database: ClonedDatabase) -> ClonedDatabase:
    """`database` with the sample families in it, and nothing in the queues."""
    database.fill_with_samples()
    return database


@pytest.fixture(scope="session")
def kept_broker() -> Iterator[redis.Redis]:
    """A client of the run's broker, from test to test: to connect takes ten times as long as to empty it."""
    # Tests break off whatever connections there are.
    retry = Retry(NoBackoff(), 2)
    url = os.environ["REDIS_URL"]
    with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, retry=retry) as client:
        yield client


@pytest.fixture
def broker_url(kept_broker: redis.Redis) -> Iterator[str]:
    """The broker's address, empty at the start. It is the one that the settings name."""
    kept_broker.flushdb()
    yield os.environ["REDIS_URL"]
    kept_broker.flushdb()


@pytest.fixture
def mailbox(tmp_path: Path, settings: Settings) -> Iterator[Mailbox]:
    """A mail server of the test's own, which Django sends to. See `sandbox.mailbox.faults` for its moods."""
    with Mailbox(tmp_path / "mail") as server:
        settings.EMAIL_BACKEND = "notifications.sending.smtp.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        yield server


@pytest.fixture
def yookassa(settings: Settings) -> Iterator[YooKassaServer]:
    """The provider, with a shop of the test's own, which the settings name. It notifies nobody."""
    with YooKassaServer(shop_id="100500", secret_key="test_of-this-test") as server:
        settings.YUKASSA_SHOP_ID, settings.YUKASSA_SECRET_KEY = "100500", "test_of-this-test"
        settings.YUKASSA_API_URL = server.api_url
        # It loads the SDK, which is 290 modules.
        from tests.support.near_yookassa import near  # noqa: PLC0415

        with near(server):
            yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for 127.0.0.1 and localhost, and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key
