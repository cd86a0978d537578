"""The health check of a worker: one that answers and takes nothing is not healthy."""

import runpy
from typing import Any

import pytest
import redis
from celery import Celery

from sandbox.packages import CHECKOUT
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet

SCRIPT = CHECKOUT / "docker" / "worker_health.py"


def check(fleet: Fleet, worker: str) -> tuple[int, str]:
    script = fleet.script("docker/worker_health.py", worker)
    code = script.await_end(seconds=60)
    return code, script.text.strip()


def test_a_worker_is_healthy_until_somebody_lets_it_take_no_more(
    fleet: Fleet, broker_url: str, probe: Ledger, line: "redis.Redis"
) -> None:
    fleet.variables["PROBE_TIME_LIMIT"] = "60"
    worker = fleet.worker(concurrency=1)
    worker.await_text("ready.")
    name = next(line.split()[1] for line in worker.text.splitlines() if line.startswith(" --------------"))
    first, *others = probe.send_many([{"seconds": 55}] * 4)
    fleet.bridge("--once", "--queue", "probe_queue").await_text("4 handed to workers")
    probe.await_attempt(first)
    # It is busy, takes no more than it has children for, and is healthy.
    assert check(fleet, name) == (0, "")
    assert line.llen("probe") == len(others)
    # Not the current one of this process, which other tests ask for its tasks.
    with Celery(broker=broker_url, set_as_current=False) as someone:
        someone.control.cancel_consumer("email", destination=[name], reply=True, timeout=10)
        assert someone.control.ping(destination=[name], timeout=5)
    code, said = check(fleet, name)
    assert (code, said) == (1, f"{name} takes no tasks from email any more: restart it")


def test_nobody_there_is_not_healthy(fleet: Fleet, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(SCRIPT))
    script["ask"].__globals__["ANSWER_SECONDS"] = 0.1
    with pytest.raises(SystemExit, match="nobody@here does not answer"):
        script["check"]("nobody@here")


IDLE = {"started_for": ["email"], "taken": ["email"], "in_hand": 0, "ever": 5}


@pytest.mark.parametrize(
    ("before", "after", "waits", "is_healthy"),
    [
        # It has lost its way to the line and does not know.
        (IDLE, IDLE, [True, True], False),
        (IDLE, IDLE, [False], True),
        (IDLE, IDLE, [True, False], True),
        (IDLE, IDLE | {"ever": 6}, [True, True], True),
        (IDLE, IDLE | {"in_hand": 2}, [True, True], True),
        # As many as it has children.
        (IDLE | {"in_hand": 2}, IDLE, [True, True], True),
    ],
)
def test_one_that_is_idle_while_tasks_wait_is_not_healthy(
    before: dict[str, Any], after: dict[str, Any], waits: list[bool], is_healthy: bool
) -> None:
    script = runpy.run_path(str(SCRIPT))
    answers, lengths = iter([before, after]), iter(waits)
    script["check"].__globals__.update(
        ask=lambda worker: next(answers),
        waiting=lambda lines: "email" if next(lengths) else "",
        BETWEEN_LOOKS_SECONDS=0,
    )
    if is_healthy:
        script["check"]("worker@here")
    else:
        with pytest.raises(SystemExit, match="idle while tasks wait in email"):
            script["check"]("worker@here")
