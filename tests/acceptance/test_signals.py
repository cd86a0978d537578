"""SIGTERM: take no more work, finish what runs, exit 0 in time. What was taken and not started is done by others."""

from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until

STOPPED = "balansity.bridge_bridgeprocess WHERE stopped_at IS NOT NULL"


def test_an_idle_bridge_stops_at_once_and_says_so(fleet: Fleet, probe: Ledger) -> None:
    # That its sleep ends shows `test_runner`: in a process it lasts until its heart beats, and no longer.
    bridge = fleet.bridge(WORKER_INTERVAL_MS="60000")
    bridge.await_text("draining")
    wait_until(lambda: probe.exists("balansity.bridge_bridgeprocess"), "the bridge's heart beats")
    assert bridge.terminate() == 0
    assert probe.exists(STOPPED)
    assert "0 handed to workers, 0 archived" in bridge.text


def test_a_busy_bridge_stops_in_order_and_its_messages_are_done_by_the_next(fleet: Fleet, probe: Ledger) -> None:
    # No worker yet: what the bridge took stays in the line.
    bridge = fleet.bridge()
    msg_ids = probe.send_many([{"note": True}] * 150)
    wait_until(lambda: any(message.read_ct for message in probe.queued().values()), "the bridge reads")
    assert bridge.terminate() == 0
    assert probe.exists(STOPPED)
    queued = probe.queued()
    assert queued.keys() == set(msg_ids)
    assert max(message.due_in for message in queued.values()) <= 2
    assert {message.attempts for message in queued.values()} == {0}

    fleet.bridge()
    fleet.worker()
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 150


def test_a_bridge_waiting_for_its_broker_stops_at_once(fleet: Fleet, probe: Ledger) -> None:
    bridge = fleet.bridge(REDIS_URL="redis://127.0.0.1:1/0")
    bridge.await_text("The broker (REDIS_URL) does not answer")
    assert bridge.terminate() == 0


def test_a_worker_finishes_the_task_that_runs_and_leaves_the_rest_to_others(fleet: Fleet, probe: Ledger) -> None:
    fleet.bridge()
    worker = fleet.worker(concurrency=1)
    running, *waiting = probe.send_many([{"note": True, "seconds": 1}] * 4)
    probe.await_run(running)
    assert worker.terminate() == 0
    assert probe.endings()[running].outcome == "succeeded"
    assert probe.queued().keys() & set(waiting), "the worker was to stop before it had done everything"

    fleet.worker(concurrency=3)
    endings = probe.await_endings([running, *waiting])
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert [len(runs) for runs in probe.runs_of([running, *waiting])] == [1] * 4
