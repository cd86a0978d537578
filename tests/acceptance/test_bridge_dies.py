"""A bridge that is killed between any two of its steps loses nothing and repeats nothing."""

import redis

from sandbox.services.broker import Broker
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.proxy import HoldingProxy
from tests.acceptance.waiting import wait_until

NOTED = {"note": True}


def test_a_message_that_was_read_and_not_published_is_delivered_after_its_lease_and_no_attempt_is_charged(
    fleet: Fleet, probe: Ledger, own_broker: Broker
) -> None:
    with HoldingProxy(own_broker.port, b"LPUSH") as proxy:
        url = own_broker.url().replace(f":{own_broker.port}/", f":{proxy.port}/")
        doomed = fleet.bridge("--queue", "probe_queue", REDIS_URL=url)
        msg_id = probe.send(NOTED)
        assert proxy.held.wait(30)
        doomed.kill()
    leased = probe.queued()[msg_id]
    assert (leased.read_ct, leased.attempts) == (1, 0)
    assert leased.due_in <= 2
    # By a lease that the read gave it, which may be over by now.
    assert probe.rows("SELECT vt >= enqueued_at + interval '2 seconds' FROM pgmq.q_probe_queue") == [(True,)]
    with redis.Redis.from_url(own_broker.url(), socket_timeout=5) as client:
        assert client.llen("probe") == 0

    fleet.bridge("--queue", "probe_queue")
    fleet.worker()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 1)
    [run] = probe.runs(msg_id)
    assert run.started_at >= leased.vt


def test_a_published_message_runs_once_though_its_bridge_is_dead(
    fleet: Fleet, probe: Ledger, line: "redis.Redis"
) -> None:
    doomed = fleet.bridge("--queue", "probe_queue")
    msg_id = probe.send(NOTED)
    wait_until(lambda: line.llen("probe"), "the task is in the line")
    doomed.kill()

    fleet.worker()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts, ending.read_ct) == ("succeeded", 1, 1)
    # Whoever comes next finds nothing to do.
    successor = fleet.bridge("--drain", "--queue", "probe_queue")
    successor.await_text("0 handed to workers, 0 archived")
    assert len(probe.runs(msg_id)) == 1


def test_a_message_that_two_bridges_published_one_after_the_other_runs_once(
    fleet: Fleet, probe: Ledger, line: "redis.Redis"
) -> None:
    doomed = fleet.bridge("--queue", "probe_queue")
    msg_ids = probe.send_many([NOTED] * 5)
    wait_until(lambda: line.llen("probe") == 5, "the tasks are in the line")
    doomed.kill()
    fleet.bridge("--queue", "probe_queue")
    wait_until(lambda: line.llen("probe") == 10, "the tasks are in the line a second time")

    worker = fleet.worker()
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    wait_until(lambda: worker.text.count("this delivery is stale") >= 5, "the worker finds the first tasks stale")
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 5


def test_bridges_killed_again_and_again_leave_every_message_with_one_outcome(fleet: Fleet, probe: Ledger) -> None:
    fleet.worker()
    msg_ids = probe.send_many([NOTED | {"seconds": 0.02}] * 120)
    for part in (10, 50):
        doomed = fleet.bridge("--queue", "probe_queue")
        wait_until(lambda part=part: len(probe.endings()) >= part, f"{part} messages are done")  # type: ignore[misc]
        doomed.kill()
    fleet.bridge("--queue", "probe_queue")
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 120
