"""However many bridges and workers there are, a message is executed by one at a time and recorded once."""

from datetime import timedelta

from bridge.processes.pulse import children_of, listen
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet

SECONDS = 0.15


def test_two_bridges_and_ten_workers_execute_each_message_one_at_a_time(fleet: Fleet, probe: Ledger) -> None:
    # More work than can be done within the dispatch lease, so that leases run out in the line as well.
    for _ in range(2):
        fleet.bridge("--queue", "probe_queue")
        fleet.worker(concurrency=5)
    once = probe.send_many([{"note": True, "seconds": SECONDS}] * 120)
    twice = probe.send_many([{"note": True, "seconds": SECONDS, "fail_first": 1}] * 30)
    endings = probe.await_endings([*once, *twice], seconds=60)
    assert {ending.outcome for ending in endings.values()} == {"succeeded"}
    assert {endings[msg_id].attempts for msg_id in once} == {1}
    assert {endings[msg_id].attempts for msg_id in twice} == {2}

    runs = probe.all_runs()
    # The bridges were told of all ten, and both workers had their part.
    assert children_of(listen()) == 10
    assert len({run.pid for found in runs.values() for run in found}) > 5
    for found in runs.values():
        assert [run.recorded for run in found].count(True) == 1
        ends = [run.ended_at or run.started_at + timedelta(seconds=SECONDS) for run in found]
        assert all(end <= after.started_at for end, after in zip(ends, found[1:], strict=False))


def test_work_slower_than_the_dispatch_lease_is_delivered_again_and_not_executed_again(
    fleet: Fleet, probe: Ledger
) -> None:
    fleet.bridge("--queue", "probe_queue")
    worker = fleet.worker(concurrency=2)
    # The last waits in the line for about 4 s, twice its lease.
    msg_ids = probe.send_many([{"note": True, "seconds": 1}] * 10)
    endings = probe.await_endings(msg_ids)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert max(ending.read_ct for ending in endings.values()) >= 2
    assert "this delivery is stale" in worker.text
    assert [len(runs) for runs in probe.runs_of(msg_ids)] == [1] * 10
