"""The ways a message can go, on each version of pgmq that there is."""

import pytest

from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet


@pytest.mark.usefixtures("short_leases")
@pytest.mark.every_pgmq
def test_success_retry_failure_and_a_lost_worker_end_as_promised(
    fleet: Fleet, probe: Ledger, pgmq_version: str
) -> None:
    fleet.variables["PROBE_MAX_RETRIES"] = "1"
    sent = {
        "works": {"note": True},
        "works at the second try": {"note": True, "fail_first": 1},
        "fails for good": {"note": True, "permanent": True},
        "fails each time": {"note": True, "fail_first": 9},
        "loses a worker": {"note": True, "kill_first": 1},
        "loses every worker": {"note": True, "kill_first": 9},
        "is no object": [1, 2],
    }
    ids = {name: probe.send(body) for name, body in sent.items()}
    fleet.bridge()
    worker = fleet.worker()
    endings = probe.await_endings(ids.values())
    assert {
        name: (endings[msg_id].outcome, endings[msg_id].reason, endings[msg_id].attempts)
        for name, msg_id in ids.items()
    } == {
        "works": ("succeeded", "", 1),
        "works at the second try": ("succeeded", "", 2),
        "fails for good": ("failed", "permanent_error", 1),
        "fails each time": ("failed", "retries_exhausted", 2),
        "loses a worker": ("succeeded", "", 2),
        "loses every worker": ("failed", "worker_lost", 2),
        "is no object": ("failed", "invalid_message", 0),
    }
    runs = zip(ids, probe.runs_of(ids.values()), strict=True)
    recorded = {name: sum(run.recorded for run in found) for name, found in runs}
    assert {name for name, count in recorded.items() if count == 1} == {
        "works",
        "works at the second try",
        "loses a worker",
    }
    assert probe.queued() == {}
    assert worker.exit_code is None
