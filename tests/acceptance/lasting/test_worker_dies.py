"""A worker that dies has used an attempt; its message runs again when the run lease is over, and not for ever."""

from tests.acceptance.lasting.processes import Lasting
from tests.acceptance.ledger import Ledger


def test_a_message_whose_child_was_killed_runs_again_after_its_lease_and_the_attempt_counts(
    lasting: Lasting, probe: Ledger
) -> None:
    worker = lasting.worker()
    msg_id = probe.send({"note": True, "kill_first": 1})
    first = probe.await_run(msg_id)
    leased = probe.queued()[msg_id]
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    lost, done = probe.runs(msg_id)
    assert (lost.attempt, lost.ended_at, lost.recorded) == (1, None, False)
    assert (done.attempt, done.recorded) == (2, True)
    assert done.pid != first.pid
    assert done.started_at >= leased.vt
    assert worker.exit_code is None


def test_a_message_whose_whole_worker_was_killed_runs_again_in_another(lasting: Lasting, probe: Ledger) -> None:
    doomed = lasting.worker()
    msg_id = probe.send({"note": True, "seconds": 0.7})
    probe.await_run(msg_id)
    doomed.kill()
    leased = probe.queued()[msg_id]
    lasting.worker()
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    lost, done = probe.runs(msg_id)
    assert (lost.ended_at, lost.recorded, done.recorded) == (None, False, True)
    assert done.started_at >= leased.vt


def test_an_effect_whose_worker_died_before_the_commit_is_recorded_once(lasting: Lasting, probe: Ledger) -> None:
    msg_id = probe.send({"note": True, "kill_first": 1, "after": True})
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.attempts) == ("succeeded", 2)
    interrupted, done = probe.runs(msg_id)
    assert interrupted.ended_at is not None
    assert [interrupted.recorded, done.recorded] == [False, True]


def test_a_message_that_always_kills_its_worker_is_given_up_and_the_others_go_on(
    lasting: Lasting, probe: Ledger
) -> None:
    worker = lasting.worker()
    fatal = probe.send({"note": True, "kill_first": 99})
    probe.await_attempt(fatal)
    others = probe.send_many([{"note": True}] * 20)
    endings = probe.await_endings(others)
    assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
    assert fatal in probe.queued()

    ending = probe.await_ending(fatal, seconds=60)
    assert (ending.outcome, ending.reason, ending.attempts) == ("failed", "worker_lost", 2)
    assert ending.error == "WorkerLost: the worker died, or was ended, in attempt 2"
    assert [run.attempt for run in probe.runs(fatal)] == [1, 2]
    assert worker.exit_code is None


def test_a_message_that_takes_too_long_is_ended_by_the_soft_limit_and_repeated_in_order(
    lasting: Lasting, probe: Ledger
) -> None:
    msg_id = probe.send({"note": True, "seconds": 60})
    ending = probe.await_ending(msg_id)
    assert (ending.outcome, ending.reason, ending.attempts) == ("failed", "retries_exhausted", 2)
    assert ending.error.startswith("SoftTimeLimitExceeded")
