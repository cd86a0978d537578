"""The broker holds hints only: it may lose them, repeat them or be away, and every message still gets its outcome."""

import os
import signal
import socket

import pytest
import redis

from sandbox.services.broker import Broker
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until

NOTED = {"note": True}
AWAY = "The broker (REDIS_URL) does not answer"


def test_messages_whose_tasks_were_wiped_from_the_broker_are_delivered_again(
    fleet: Fleet, probe: Ledger, own_broker: Broker
) -> None:
    fleet.bridge("--queue", "probe_queue")
    msg_ids = probe.send_many([NOTED] * 15)
    with redis.Redis.from_url(own_broker.url(), socket_timeout=5) as client:
        wait_until(lambda: client.llen("probe") == 15, "all tasks are in the line")
        client.flushall()
    fleet.worker()
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert min(ending.read_ct for ending in endings.values()) >= 2
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 15


def test_bridge_and_worker_go_on_after_their_broker_was_wiped_killed_and_hung_and_every_message_gets_its_outcome(
    fleet: Fleet, probe: Ledger, own_broker: Broker
) -> None:
    bridge = fleet.bridge("--queue", "probe_queue")
    worker = fleet.worker()
    it_is_wiped_while_workers_are_busy(probe, own_broker)
    it_is_killed_and_restarted_empty(probe, own_broker, bridge)
    # A line says it; gossip between workers, which nobody needs, would add 170 of a traceback.
    assert "Gossip" not in worker.text, worker.tail()
    bridge.await_text("The broker (REDIS_URL) answers again")
    it_hangs(probe, own_broker, bridge)
    assert (bridge.exit_code, worker.exit_code) == (None, None)


def it_is_wiped_while_workers_are_busy(probe: Ledger, broker: Broker) -> None:
    msg_ids = probe.send_many([NOTED | {"seconds": 0.05}] * 80)
    with redis.Redis.from_url(broker.url(), socket_timeout=5) as client:
        for part in (5, 30):
            wait_until(lambda part=part: len(probe.endings()) >= part, f"{part} are done")  # type: ignore[misc]
            client.flushall()
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 80


def it_is_killed_and_restarted_empty(probe: Ledger, broker: Broker, bridge: Child) -> None:
    before = len(probe.endings())
    msg_ids = probe.send_many([NOTED | {"seconds": 0.1}] * 40)
    wait_until(lambda: len(probe.endings()) >= before + 5, "the first are done")
    os.kill(broker.pid, signal.SIGKILL)
    broker.stop()
    bridge.await_text(AWAY)
    broker.start()
    endings = probe.await_endings(msg_ids, seconds=60)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    assert [sum(run.recorded for run in runs) for runs in probe.runs_of(msg_ids)] == [1] * 40


def it_hangs(probe: Ledger, broker: Broker, bridge: Child) -> None:
    before = bridge.text.count(AWAY)
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        msg_id = probe.send(NOTED)
        wait_until(lambda: bridge.text.count(AWAY) > before, "the bridge has noticed")
        assert probe.queued()[msg_id].read_ct == 0
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 1)


def test_while_the_broker_is_away_nothing_is_read_and_the_log_says_so_once(
    fleet: Fleet, probe: Ledger, own_broker: Broker
) -> None:
    own_broker.stop()
    msg_id = probe.send(NOTED)
    with socket.create_server(("127.0.0.1", own_broker.port)) as closed_door:
        closed_door.settimeout(30)
        bridge = fleet.bridge()
        for _ in range(4):
            closed_door.accept()[0].close()
    bridge.await_text(AWAY)
    waiting = probe.queued()[msg_id]
    assert (waiting.read_ct, waiting.attempts) == (0, 0)
    assert waiting.due_in <= 0

    own_broker.start()
    bridge.await_text("The broker (REDIS_URL) answers again")
    fleet.worker()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 1)
    assert bridge.text.count(AWAY) == 1


@pytest.mark.parametrize("copies", [2, 10])
def test_of_several_copies_of_a_task_one_claim_wins(
    fleet: Fleet, probe: Ledger, line: "redis.Redis", copies: int
) -> None:
    msg_id = probe.send(NOTED | {"seconds": 0.2})
    fleet.bridge("--once", "--queue", "probe_queue").await_text("1 handed to workers")
    [task] = line.lrange("probe", 0, -1)
    line.lpush("probe", *[task] * (copies - 1))

    worker = fleet.worker(concurrency=4)
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts, ending.read_ct) == ("succeeded", 1, 1)
    wait_until(lambda: not line.llen("probe"), "the line is empty")
    wait_until(lambda: worker.text.count("stale") == copies - 1, "the other copies are ignored")
    assert len(probe.runs(msg_id)) == 1
