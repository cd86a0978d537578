"""Several deliveries in one Celery task: each ends as it would alone, and what slow work leaves is for others."""

from types import SimpleNamespace

import pytest
from celery import current_app

from bridge.message import Delivery
from bridge.pgmq import PgmqQueue
from bridge.queues import BUNDLE_SECONDS
from bridge.worker import bundle
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import RunBundle, archived
from tests.integration.bridge.deliveries import claim


def test_however_one_ends_the_others_run_and_each_has_an_outcome_of_its_own(
    probe: PgmqQueue, run_bundle: RunBundle
) -> None:
    stale, failing, hopeless, good = (
        probe.send(body) for body in ({}, {"fail_first": 1}, {"permanent": True}, {"note": True})
    )
    deliveries = probe.read(limit=4, lease=60)
    claim(probe, deliveries[0])
    run_bundle(deliveries)
    assert ProbeRun.objects.get(msg_id=good).recorded
    assert (archived(probe, good)["outcome"], archived(probe, good)["trace_id"]) == ("succeeded", f"trace-{good}")
    assert archived(probe, hopeless)["reason"] == "permanent_error"
    assert (probe.is_queued(stale), probe.is_queued(failing)) == (True, True)
    assert (probe.counts().retrying, probe.counts().running) == (1, 1)
    # No delivery that comes next finds the last one's retries and trace.
    assert current_app.tasks["probe.run"].request_stack.top is None


def test_attempts_already_used_count_for_each_of_them(probe: PgmqQueue, run_bundle: RunBundle) -> None:
    ids = [probe.send({"fail_first": 99}) for _ in range(2)]
    first, second = probe.read(limit=2, lease=60)
    used = probe.claim(first.token, lease=60, attempts=5, trace_id="x")
    assert used is not None
    run_bundle([Delivery(QUEUE, used.token, 1, "object", used.history), second])
    # Of the first it was the last attempt; the other has five left.
    assert archived(probe, ids[0])["reason"] == "retries_exhausted"
    assert probe.counts().retrying == 1


def test_what_slow_work_leaves_goes_back_at_once_and_counts_as_nothing(
    probe: PgmqQueue, run_bundle: RunBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # When it begins, before the first, and twice when that has ended: for the claim that would go with its outcome too.
    clock = iter([0.0, 0.0, *[BUNDLE_SECONDS + 0.1] * 2])
    monkeypatch.setattr(bundle, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    ids = [probe.send({"note": True}) for _ in range(3)]
    run_bundle(probe.read(limit=3, lease=60))
    assert [run.msg_id for run in ProbeRun.objects.all()] == ids[:1]
    again = probe.read(limit=3, lease=60)
    assert [(one.msg_id, one.read_ct, one.history.attempts) for one in again] == [(msg_id, 1, 0) for msg_id in ids[1:]]
