"""A bridge that polls once a minute is woken up by new messages, and wakes up by itself for messages that turn due."""

import pytest

from bridge import wakeup
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.support.far_below import far_below

# After so long the bridge looks whether anybody wakes it or not.
MINUTE = 60
ONE_MINUTE = {"WORKER_INTERVAL_MS": f"{MINUTE}000"}


@pytest.mark.parametrize("method", wakeup.Method)
def test_a_notification_brings_a_message_to_its_worker_before_the_bridge_looks_by_itself(
    fleet: Fleet, probe: Ledger, method: wakeup.Method
) -> None:
    assert not wakeup.install("probe_queue", method).problem
    fleet.bridge("--queue", "probe_queue", **ONE_MINUTE)
    fleet.worker().await_text("ready.")
    # Only the first look comes without a notification.
    probe.await_ending(probe.send({}))
    for _ in range(3):
        with far_below(MINUTE):
            probe.await_ending(probe.send({}))


def test_a_delayed_message_is_delivered_when_it_is_due(fleet: Fleet, probe: Ledger) -> None:
    assert not wakeup.install("probe_queue", wakeup.Method.TRIGGER).problem
    fleet.bridge("--queue", "probe_queue", **ONE_MINUTE)
    fleet.worker().await_text("ready.")
    probe.await_ending(probe.send({}))
    with far_below(MINUTE):
        msg_id = probe.send({"note": True}, delay=2)
        hidden = probe.queued()[msg_id]
        assert probe.await_ending(msg_id).attempts == 1
    [run] = probe.runs(msg_id)
    assert run.started_at >= hidden.vt


def test_a_bridge_without_notifications_still_wakes_up_for_a_message_it_knows_to_be_due(
    fleet: Fleet, probe: Ledger
) -> None:
    fleet.worker().await_text("ready.")
    msg_id = probe.send({"note": True}, delay=3)
    hidden = probe.queued()[msg_id]
    bridge = fleet.bridge("--queue", "probe_queue", **ONE_MINUTE)
    bridge.await_text("draining")
    with far_below(MINUTE):
        assert probe.await_ending(msg_id).attempts == 1
    [run] = probe.runs(msg_id)
    assert run.started_at >= hidden.vt
