"""Fifteen places in Postgres, some of them others', and processes that want more: all is done in time all the same."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
import requests
from psycopg2 import sql

from bridge.trouble.explanation import EXIT_CODE
from sandbox.services.pooler import Pooler
from sandbox.services.process import free_port
from sandbox.tokens import access_token
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.payment_calls import Customer

PLACES = 15
MESSAGES = 60
CALLERS = 8
BETWEEN_CALLS_SECONDS = 0.2
# Without any wait that a test shortens: what is not started at once is late by two minutes, and read once more.
PRODUCTION = {"BRIDGE_DISPATCH_LEASE": "120", "PROBE_TIME_LIMIT": "60", "API_THROTTLE_DEFAULT": "100000"}


@dataclass(frozen=True, slots=True)
class Narrow:
    """An address; `shut` lets nobody in any more, where that can be had."""

    url: str
    shut: Callable[[], None] | None = None


@pytest.fixture(params=["refuses", "lets wait"])
def narrow(
    request: pytest.FixtureRequest,
    fleet: Fleet,
    database: ClonedDatabase,
    database_server: DatabaseServer,
    tmp_path: Path,
) -> Iterator[Narrow]:
    """The address with fifteen places for everybody: Postgres' own limit, or a pooler in session mode."""
    if request.param == "lets wait":
        pooler = Pooler(tmp_path, database.url, mode="session", size=PLACES)
        pooler.start()
        yield Narrow(pooler.url)
        fleet.close()
        pooler.stop()
        return

    def allow(number: int) -> None:
        with closing(psycopg2.connect(database_server.admin_url)) as admin, admin, admin.cursor() as cursor:
            statement = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
            cursor.execute(statement.format(sql.Identifier(database.name), sql.Literal(number)))

    # And one for whoever looks, whom no limit keeps out, and who is counted.
    allow(PLACES + 1)
    yield Narrow(database.url, lambda: allow(0))
    allow(-1)


@contextmanager
def held(url: str, number: int) -> Iterator[None]:
    """What Supabase's own processes hold."""
    with ExitStack() as stack:
        for _ in range(number):
            session = stack.enter_context(closing(psycopg2.connect(url, application_name="supabase")))
            # Only now a pooler gives it one.
            session.cursor().execute("SELECT 1")
        yield


@contextmanager
def callers(address: str) -> Iterator[Counter[int]]:
    """Customers who look at their payments again and again; yields how often which status was the answer.

    All of them at once: so many connections the web processes need, and keep until the next time.
    """
    ended, statuses = threading.Event(), Counter[int]()
    tokens = [access_token(Customer().id) for _ in range(CALLERS)]

    def call(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{address}/api/payments", headers=headers, timeout=60).status_code

    def call_again_and_again() -> None:
        while not ended.wait(BETWEEN_CALLS_SECONDS):
            statuses.update(pool.map(call, tokens))

    with ThreadPoolExecutor(CALLERS) as pool, ThreadPoolExecutor(1) as clock:
        calls = clock.submit(call_again_and_again)
        try:
            yield statuses
        finally:
            ended.set()
        calls.result()


def send_in_parts(probe: Ledger) -> list[int]:
    """Send as many again when half of those before are done, so that workers are busy and idle in turn."""
    msg_ids: list[int] = []
    while len(msg_ids) < MESSAGES:
        msg_ids += probe.send_many([{"note": True, "seconds": 0.05}] * 10)
        half = len(msg_ids) // 2
        wait_until(lambda half=half: len(probe.endings()) >= half, "half of them are done")  # type: ignore[misc]
    return msg_ids


def test_with_fewer_places_than_processes_want_nothing_is_lost_or_late(
    fleet: Fleet, database: ClonedDatabase, database_server: DatabaseServer, narrow: Narrow, tmp_path: Path
) -> None:
    # The superuser is let in past all limits.
    probe = Ledger(f"{database_server.admin_url.rpartition('/')[0]}/{database.name}", "probe_queue")
    port = free_port()
    fleet.variables |= PRODUCTION | {"DATABASE_URL": narrow.url}
    with held(narrow.url, 7):
        web = fleet.web(port, WEB_CONCURRENCY="2")
        fleet.bridge()
        fleet.beat(tmp_path / "schedule")
        web.await_text("Booting worker")
        address = f"http://127.0.0.1:{port}"
        with callers(address) as statuses:
            # The worst order: the web processes have taken what they may before there is a worker.
            wait_until(lambda: statuses[200] >= 50, "customers are answered")
            workers = [fleet.worker() for _ in range(3)]
            # How long Python takes to start them, on a machine that is busy, is not what is measured.
            for worker in workers:
                worker.await_text("ready.")
            msg_ids = send_in_parts(probe)
            endings = probe.await_endings(msg_ids, seconds=60)
        assert {(one.outcome, one.attempts, one.read_ct) for one in endings.values()} == {("succeeded", 1, 1)}
        assert {*statuses} <= {200, 503}
        wait_until(
            lambda: any("no task is taken until there is one" in worker.text for worker in workers),
            "one of the children has found no place",
        )
        for each in (web, *workers):
            assert "Traceback" not in each.text, each.tail()
        if narrow.shut is not None:
            narrow.shut()
            status = fleet.command("queue_status")
            assert status.await_end() == EXIT_CODE
            assert "with 3 workers ours take up to" in status.text
            assert "Traceback" not in status.text, status.tail()
