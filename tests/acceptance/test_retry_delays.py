"""The schedule of repeats as it really passes: 1, 2, 4, 8, 16 s, scaled down where waiting would be long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from celery import Celery
from celery.events import EventReceiver

from bridge import wakeup
from tests.acceptance.ledger import Ledger, Run
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until

SCALE = 0.1
# From the moment a repeat is due to its start: the bridge wakes up, publishes, a worker claims; on a busy machine.
LATENCY_SECONDS = 0.3


def test_all_six_attempts_come_after_doubled_delays_and_celery_reports_each_retry(
    fleet: Fleet, probe: Ledger, broker_url: str
) -> None:
    # With a look a minute, a repeat that comes in time was known to be due.
    assert not wakeup.install("probe_queue", wakeup.Method.TRIGGER).problem
    with celery_events(broker_url) as seen:
        fleet.bridge(WORKER_INTERVAL_MS="60000")
        fleet.worker("--task-events")
        wait_until(lambda: seen.count("worker-heartbeat"), "Celery's events arrive")
        msg_id = probe.send({"note": True, "fail_first": 99})
        ending = probe.await_ending(msg_id)
        wait_until(lambda: seen.count("task-failed"), "Celery reports the end")
    assert (ending.outcome, ending.reason, ending.attempts) == ("failed", "retries_exhausted", 6)
    assert ending.error == "RuntimeError: attempt 6 was told to fail"
    assert seen.count("task-retried") == 5
    runs = probe.runs(msg_id)
    assert [run.attempt for run in runs] == [1, 2, 3, 4, 5, 6]
    expected = [delay * SCALE for delay in (1, 2, 4, 8, 16)]
    assert all(due <= delay <= due + LATENCY_SECONDS for due, delay in zip(expected, delays(runs), strict=True))


def test_unscaled_the_first_repeats_come_after_one_and_two_seconds(fleet: Fleet, probe: Ledger) -> None:
    fleet.bridge(BRIDGE_DELAY_SCALE="1")
    fleet.worker(BRIDGE_DELAY_SCALE="1")
    msg_id = probe.send({"note": True, "fail_first": 2})
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 3)
    assert delays(probe.runs(msg_id)) == pytest.approx([1, 2], abs=0.3)


def delays(runs: list[Run]) -> list[float]:
    """Seconds from each start to the next; a probe that is told to fail does so at once."""
    starts = [run.started_at for run in runs]
    return [(after - before).total_seconds() for before, after in pairwise(starts)]


@contextmanager
def celery_events(broker_url: str) -> Iterator[list[str]]:
    """The types of Celery's events, as Flower would see them, while the block lasts."""
    seen: list[str] = []
    with Celery(broker=broker_url, set_as_current=False).connection_for_read() as connection:

        def note(event: dict[str, Any]) -> None:
            seen.append(event["type"])

        receiver = EventReceiver(connection, handlers={"*": note})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, name="events", daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            receiver.should_stop = True
            thread.join(10)
