"""The schedule of repeats as it really passes: 1, 2, 4, 8, 16 s, scaled down where waiting would be long."""

import re
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
from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until
from tests.support.far_below import far_below

SCALE = 0.1
# After so long a bridge looks that does not know when a repeat is due.
MINUTE = 60


def test_all_six_attempts_come_after_doubled_delays_and_celery_reports_each_retry(
    fleet: Fleet, probe: Ledger, broker_url: str
) -> None:
    # With a look a minute, a repeat that comes in time was known to be due.
    assert not wakeup.install("probe_queue", wakeup.Method.TRIGGER).problem
    with celery_events(broker_url) as seen:
        fleet.bridge(WORKER_INTERVAL_MS=f"{MINUTE}000")
        worker = fleet.worker("--task-events")
        wait_until(lambda: seen.count("worker-heartbeat"), "Celery's events arrive")
        with far_below(MINUTE):
            msg_id = probe.send({"note": True, "fail_first": 99})
            ending = probe.await_ending(msg_id)
        wait_until(lambda: seen.count("task-failed"), "Celery reports the end")
    assert (ending.outcome, ending.reason, ending.attempts) == ("failed", "retries_exhausted", 6)
    assert ending.error == "RuntimeError: attempt 6 was told to fail"
    assert seen.count("task-retried") == 5
    runs = probe.runs(msg_id)
    assert [run.attempt for run in runs] == [1, 2, 3, 4, 5, 6]
    expected = [delay * SCALE for delay in (1, 2, 4, 8, 16)]
    assert planned(worker) == pytest.approx(expected)
    assert all(due <= delay for due, delay in zip(expected, delays(runs), strict=True))


def test_unscaled_the_first_repeats_come_after_one_and_two_seconds(fleet: Fleet, probe: Ledger) -> None:
    fleet.bridge(BRIDGE_DELAY_SCALE="1")
    worker = fleet.worker(BRIDGE_DELAY_SCALE="1")
    msg_id = probe.send({"note": True, "fail_first": 2})
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 3)
    assert planned(worker) == [1, 2]
    assert all(due <= delay for due, delay in zip((1, 2), delays(probe.runs(msg_id)), strict=True))


def planned(worker: Child) -> list[float]:
    """The delays that the worker wrote down."""
    return [float(seconds) for seconds in re.findall(r"failed, next in (\S+) s:", worker.text)]


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
