"""Postgres goes away in the middle of the work and comes back: the same processes go on.

A server of its own, whose commits are synced, takes seconds to make: one for all, and as few processes as can be.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.services.postgres import Postgres
from sandbox.services.process import free_port
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until
from tests.support.clusters import copy_to

AWAY, BACK = "Postgres (DATABASE_URL) does not answer", "Postgres (DATABASE_URL) answers again"


@pytest.fixture
def own_postgres(fleet: Fleet, cluster: Path, tmp_path: Path) -> Iterator[Postgres]:
    """A server that does not run yet. It syncs its commits: those that it told of must survive `immediate`."""
    folder = tmp_path / "own"
    folder.mkdir(mode=0o700)
    copy_to(cluster, folder)
    postgres = Postgres(folder, durable=True, port=free_port())
    fleet.variables["DATABASE_URL"] = postgres.url()
    try:
        yield postgres
    finally:
        fleet.close()
        postgres.stop(at_once=True)


@pytest.mark.timeout(240)
def test_bridge_and_worker_go_on_after_each_outage_of_postgres_and_every_message_gets_its_outcome(
    fleet: Fleet, own_postgres: Postgres
) -> None:
    fleet.variables["PROBE_TIME_LIMIT"] = "5"
    bridge, worker = fleet.bridge(), fleet.worker()
    await_times(bridge, AWAY, 1)
    probe = they_start_before_it(own_postgres)
    for outages, at_once in ((2, False), (3, True)):
        await_times(bridge, BACK, outages - 1)
        it_restarts_amid_their_work(probe, own_postgres, bridge, outages, at_once=at_once)
        assert (bridge.exit_code, worker.exit_code) == (None, None)
    worker.kill()
    it_is_away_for_longer_than_an_attempt_may_take(probe, own_postgres, fleet.worker(PROBE_TIME_LIMIT="2"))


def await_times(child: Child, text: str, times: int) -> None:
    wait_until(lambda: child.text.count(text) == times, f"{child.name} has written {text!r} {times} times")


def they_start_before_it(postgres: Postgres) -> Ledger:
    postgres.start()
    probe = Ledger(postgres.url(), "probe_queue", create=True)
    assert probe.await_ending(probe.send({"note": True})).outcome == "succeeded"
    return probe


def it_restarts_amid_their_work(
    probe: Ledger, postgres: Postgres, bridge: Child, outages: int, *, at_once: bool
) -> None:
    before = len(probe.endings())
    msg_ids = probe.send_many([{"note": True, "seconds": 0.1}] * 60)
    wait_until(lambda: len(probe.endings()) >= before + 5, "the first are done")
    postgres.stop(at_once=at_once)
    await_times(bridge, AWAY, outages)
    postgres.start()

    await_times(bridge, BACK, outages)
    late = probe.send({"note": True})
    endings = probe.await_endings([*msg_ids, late], seconds=60)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    # What was cut off in the middle has used its attempt; nothing is cut off twice by one restart.
    assert max(ending.attempts for ending in endings.values()) <= 2
    assert [sum(run.recorded for run in runs) for runs in probe.runs_of([*msg_ids, late])] == [1] * 61
    assert bridge.text.count(AWAY) == outages


def it_is_away_for_longer_than_an_attempt_may_take(probe: Ledger, postgres: Postgres, worker: Child) -> None:
    msg_id = probe.send({"seconds": 0.5})
    probe.await_attempt(msg_id)
    postgres.stop()
    # The soft limit, a second after the start, finds the attempt waiting for Postgres to write that it succeeded.
    worker.await_text(f"probe_queue {msg_id}: attempt 1 ends without an outcome")
    postgres.start()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
