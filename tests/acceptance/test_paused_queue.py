"""A queue is paused under load: nothing of it starts any more, nothing is lost or counted, and it goes on at once."""

from datetime import datetime, timedelta

import redis
from django.db import connection

from bridge.operations.actor import cli_actor
from bridge.operations.pausing import pause, resume
from bridge.processes.pulse import Kind, listen
from bridge.processes.rows import living
from bridge.wakeup import Method, install
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.far_below import far_below

# After so long the bridge looks by itself.
MINUTE = 60
# Quick work in bundles, and slow work one by one, with a line in front of the workers.
QUICK, SLOW = {"note": True}, {"note": True, "seconds": 0.05}


def begun(probe: Ledger) -> int:
    """How many runs there are."""
    return int(probe.rows("SELECT count(*) FROM balansity.probe_proberun")[0][0])


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found


def test_nothing_starts_while_it_is_paused_and_nothing_is_lost(
    fleet: Fleet, probe: Ledger, line: "redis.Redis"
) -> None:
    assert not install("probe_queue", Method.TRIGGER).problem
    # A dispatch lease that never runs out here: what comes again was handed back.
    fleet.variables |= {"BRIDGE_DISPATCH_LEASE": "120", "WORKER_INTERVAL_MS": f"{MINUTE}000"}
    worker = fleet.worker()
    worker.await_text("ready.")
    bridge = fleet.bridge("--queue", "probe_queue")
    sent = probe.send_many([QUICK] * 300 + [SLOW] * 60)
    wait_until(lambda: begun(probe) > 100, "work is under way")
    assert pause("probe_queue", cli_actor(), "the provider moves").changed
    paused_at = now()
    sent += probe.send_many([QUICK] * 20)
    wait_until(lambda: line.llen("probe") == 0, "what was in line was handed back")
    wait_until(lambda: all(one.due_in <= 0 for one in probe.queued().values()), "what had begun is over")
    before = begun(probe)
    wait_until(lambda: now() - paused_at > timedelta(seconds=3), "some time has passed")
    waiting = probe.queued()
    assert len(waiting) > 20
    assert {message.attempts for message in waiting.values()} == {0}
    assert {message.read_ct for message in waiting.values()} == {0}
    assert all(message.due_in <= 0 for message in waiting.values())
    assert begun(probe) == before
    assert "probe_queue: held, nothing is read: pause by" in bridge.text

    with far_below(MINUTE):
        assert resume("probe_queue", cli_actor()).changed
        wait_until(lambda: begun(probe) > before, "it goes on")
    endings = probe.await_endings(sent, seconds=60)
    assert {(one.outcome, one.attempts) for one in endings.values()} == {("succeeded", 1)}
    assert {len(runs) for runs in probe.all_runs().values()} == {1}

    # The bridge has written down that the worker lives; and the worker says when it ends in order.
    assert len(living(Kind.WORKER)) == 1
    worker.terminate(seconds=30)
    assert [one.has_stopped for one in listen() if one.kind is Kind.WORKER] == [True]
