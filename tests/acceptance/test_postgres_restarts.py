"""Postgres goes away in the middle of the work and comes back: the same processes go on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.packages import CHECKOUT
from sandbox.services.postgres import Postgres
from sandbox.services.process import free_port
from sandbox.services.supabase import prepare
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.starter import start
from tests.acceptance.waiting import wait_until


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that was stopped, with Supabase's side and our tables in it. Made without syncing."""
    folder = tmp_path_factory.mktemp("migrated")
    folder.chmod(0o700)
    postgres = Postgres(folder, durable=False, port=free_port())
    postgres.start()
    try:
        prepare(postgres.url(), seed=False)
        log = tmp_path_factory.mktemp("migrating") / "log"
        variables = {**os.environ, "DATABASE_URL": postgres.url()}
        migrating = start(["manage.py", "migrate", "--verbosity=0"], variables, folder=CHECKOUT, log=log)
        migrating.join(60)
        assert migrating.exitcode == 0, log.read_text(encoding="utf-8")
    finally:
        postgres.stop()
    return folder


@pytest.fixture
def own_postgres(fleet: Fleet, tmp_path: Path, migrated: Path) -> Iterator[Postgres]:
    """A server that may be stopped. It syncs its commits: those that it told of must survive `immediate`."""
    folder = tmp_path / "own"
    # With its owner: run by root, it belongs to somebody else.
    subprocess.run(["cp", "-a", str(migrated), str(folder)], check=True, timeout=60)
    postgres = Postgres(folder, durable=True, port=free_port())
    postgres.start()
    fleet.variables["DATABASE_URL"] = postgres.url()
    try:
        yield postgres
    finally:
        fleet.close()
        postgres.stop(at_once=True)


@pytest.mark.parametrize("at_once", [False, True], ids=["fast", "immediate"])
def test_bridge_and_worker_survive_a_restart_of_postgres_and_every_message_gets_its_outcome(
    fleet: Fleet, own_postgres: Postgres, at_once: bool
) -> None:
    probe = Ledger(own_postgres.url(), "probe_queue", create=True)
    fleet.variables["PROBE_TIME_LIMIT"] = "5"
    bridge, worker = fleet.bridge(), fleet.worker()
    msg_ids = probe.send_many([{"note": True, "seconds": 0.1}] * 60)
    wait_until(lambda: len(probe.endings()) >= 5, "the first are done")
    own_postgres.stop(at_once=at_once)
    bridge.await_text("Postgres (DATABASE_URL) does not answer")
    own_postgres.start()

    bridge.await_text("Postgres (DATABASE_URL) answers again")
    late = probe.send({"note": True})
    endings = probe.await_endings([*msg_ids, late], seconds=60)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    # What was cut off in the middle has used its attempt; nothing is cut off twice by one restart.
    assert max(ending.attempts for ending in endings.values()) <= 2
    assert [sum(run.recorded for run in probe.runs(msg_id)) for msg_id in [*msg_ids, late]] == [1] * 61
    assert (bridge.exit_code, worker.exit_code) == (None, None)
    assert bridge.text.count("Postgres (DATABASE_URL) does not answer") == 1


def test_an_outage_longer_than_the_time_limit_costs_an_attempt_and_not_the_message(
    fleet: Fleet, own_postgres: Postgres
) -> None:
    probe = Ledger(own_postgres.url(), "probe_queue", create=True)
    fleet.variables["PROBE_TIME_LIMIT"] = "2"
    fleet.bridge()
    worker = fleet.worker()
    msg_id = probe.send({"seconds": 0.5})
    probe.await_attempt(msg_id)
    own_postgres.stop()
    # The soft limit, a second after the start, finds the attempt waiting for Postgres to write that it succeeded.
    worker.await_text(f"probe_queue {msg_id}: attempt 1 ends without an outcome")
    own_postgres.start()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)


def test_a_bridge_that_starts_before_postgres_waits_for_it(fleet: Fleet, own_postgres: Postgres) -> None:
    own_postgres.stop()
    bridge, worker = fleet.bridge(), fleet.worker()
    bridge.await_text("Postgres (DATABASE_URL) does not answer")
    own_postgres.start()
    probe = Ledger(own_postgres.url(), "probe_queue", create=True)
    assert probe.await_ending(probe.send({"note": True})).outcome == "succeeded"
    assert (bridge.exit_code, worker.exit_code) == (None, None)
