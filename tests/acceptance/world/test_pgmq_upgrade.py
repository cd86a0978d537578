"""pgmq goes from 1.4 to 1.5 and on to 1.13 under running processes, of which only some are restarted."""

import io

import pytest
from django.core.management import call_command

from bridge.status import read_status
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.support.databases import ClonedDatabase
from tests.support.pgmq_upgrades import upgrade_pgmq


@pytest.mark.parametrize("pgmq_version", ["1.4"], indirect=True)
def test_attempts_go_on_counting_nothing_circles_and_every_outcome_is_seen(
    fleet: Fleet, probe: Ledger, database: ClonedDatabase, pgmq_version: str
) -> None:
    # A dead worker's lease is as long as an attempt may take.
    fleet.variables |= {"PROBE_MAX_RETRIES": "1", "BRIDGE_DELAY_SCALE": "1", "PROBE_TIME_LIMIT": "3"}
    before = probe.send_many([{"note": True}, {"note": True, "permanent": True}])
    bridge = fleet.bridge()
    fleet.worker()
    probe.await_endings(before)
    # One that waits for its repeat, one that ends its worker each time, and one that runs just now.
    failing = probe.send({"note": True, "fail_first": 9})
    fatal = probe.send({"note": True, "kill_first": 9})
    running = probe.send({"note": True, "seconds": 0.6})
    probe.await_attempt(failing)
    probe.await_attempt(fatal)
    probe.await_run(running)

    upgrade_pgmq(database.url, "1.5")
    assert bridge.terminate() == 0
    fleet.bridge()
    second = probe.send({"note": True, "fail_first": 1})
    Ledger(database.url, probe.queue).await_attempt(second)
    upgrade_pgmq(database.url, "1.13")
    last = probe.send({"note": True})

    upgraded = Ledger(database.url, probe.queue)
    endings = upgraded.await_endings([failing, fatal, running, second, last], seconds=60)
    assert {msg_id: (ending.outcome, ending.reason, ending.attempts) for msg_id, ending in endings.items()} == {
        failing: ("failed", "retries_exhausted", 2),
        fatal: ("failed", "worker_lost", 2),
        running: ("succeeded", "", 1),
        second: ("succeeded", "", 2),
        last: ("succeeded", "", 1),
    }
    runs = {msg_id: [run.attempt for run in these] for msg_id, these in upgraded.all_runs().items()}
    assert runs[failing] == runs[fatal] == [1, 2]
    assert (runs[running], runs[second], runs[last]) == ([1], [1, 2], [1])
    assert upgraded.queued() == {}

    status = next(queue for queue in read_status().queues if queue.name == probe.queue)
    assert (status.succeeded, status.failed, status.others) == (4, 3, 0)
    answer = io.StringIO()
    call_command("requeue", probe.queue, "--failed", stdout=answer)
    assert "3 put back into probe_queue" in answer.getvalue()
