"""A worker that is killed amid messages that run in one transaction: nothing of them is left, and all are done."""

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app

from bridge.daemon.publisher import Publisher
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until

Bundle = Callable[[list[Any]], list[int]]


@pytest.fixture
def bundle(fleet: Fleet, probe: Ledger, broker_url: str) -> Bundle:
    """Send messages and hand all to the workers as one task, as the bridge does with quick work."""
    fleet.variables |= {"PROBE_TRANSACTIONAL": "true", "PROBE_MAX_RETRIES": "1", "PROBE_TIME_LIMIT": "2"}

    def send(bodies: list[Any]) -> list[int]:
        ids = probe.send_many(bodies)
        queue = pgmq_queue(probe.queue)
        deliveries = queue.read(limit=len(ids), lease=2)
        with Publisher(current_app) as publisher:
            assert publisher.publish(registry.get(probe.queue), deliveries, bundle_size=len(ids)) == [len(ids)]
        return ids

    return send


def test_a_message_that_always_kills_its_worker_is_given_up_and_those_beside_it_are_done_once(
    fleet: Fleet, probe: Ledger, bundle: Bundle
) -> None:
    fleet.worker()
    before, fatal, after = bundle([{"note": True}, {"note": True, "kill_first": 99}, {"note": True}])
    # What a bundle did is undone with its worker: no attempt is counted and no row is there.
    wait_until(lambda: probe.queued()[fatal].due_in < 0, "the lease of the bundle is over")
    assert {(one.attempts, one.read_ct) for one in probe.queued().values()} == {(0, 1)}
    assert probe.all_runs() == {}
    # From now on each of them goes alone.
    fleet.bridge()
    endings = probe.await_endings([before, fatal, after], seconds=90)
    assert [(endings[one].outcome, endings[one].attempts) for one in (before, after)] == [("succeeded", 1)] * 2
    assert (endings[fatal].outcome, endings[fatal].reason, endings[fatal].attempts) == ("failed", "worker_lost", 2)
    runs = probe.all_runs()
    assert {one: [run.recorded for run in runs[one]] for one in (before, after)} == {before: [True], after: [True]}
    # Both of its attempts were its own.
    assert [run.attempt for run in runs[fatal]] == [1, 2]


def test_two_workers_with_the_same_bundle_of_which_one_is_killed_leave_each_row_once(
    fleet: Fleet, probe: Ledger, bundle: Bundle, line: Any
) -> None:
    ids = bundle([{"note": True, "seconds": 0.4}] * 4)
    # The broker hands it out twice.
    line.lpush("probe", *line.lrange("probe", 0, -1))
    first = fleet.worker(concurrency=1)
    at_work = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    )
    wait_until(lambda: probe.rows(at_work)[0][0], "the bundle is at work")
    fleet.worker(concurrency=1)
    first.kill()
    fleet.bridge()
    endings = probe.await_endings(ids, seconds=90)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    recorded = {msg_id: sum(run.recorded for run in runs) for msg_id, runs in probe.all_runs().items()}
    assert recorded == dict.fromkeys(ids, 1)
