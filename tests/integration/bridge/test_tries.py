"""Every attempt is kept on its message, the newest twenty, whichever column carries the history, and in the archive."""

import json
import os
import socket
from importlib import import_module
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from django.db import connection
from django.db.migrations import RunSQL
from django.utils import timezone

from bridge.daemon.drain import Drain
from bridge.message import Ending, LastError, Outcome, Reason
from bridge.models import KeptOutcome
from bridge.outcome import write_kept
from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from bridge.tries import Try, tries_of
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import ERROR, claim, make_due, read_one
from tests.integration.bridge.test_task import Read, Run, handler_that, not_yet
from tests.support.databases import ClonedDatabase
from tests.support.deliveries import attempt
from tests.support.pgmq_upgrades import upgrade_pgmq
from tests.support.requeueing import put_back

BOTH_CARRIERS = pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)


def here() -> str:
    """Who does the work in these tests: this process, which may be a fork of the one that read this file."""
    return f"{socket.gethostname()}:{os.getpid()}"


def history_of(queue: PgmqQueue, msg_id: int) -> dict[str, Any]:
    """What may be believed of the history of a message, wherever that is."""
    table = f"q_{queue.name}" if queue.is_queued(msg_id) else f"a_{queue.name}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bridge_history(q.message, to_jsonb(q) -> 'headers') FROM pgmq.{table} AS q WHERE msg_id = %s",
            [msg_id],
        )
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
        return found


def tries_on(queue: PgmqQueue, msg_id: int) -> list[Try]:
    return tries_of(history_of(queue, msg_id), now=timezone.now())


def fail_once(queue: PgmqQueue, number: int, text: str = "no answer") -> None:
    make_due(queue)
    claimed = claim(queue, read_one(queue), attempts=number)
    assert queue.retry(claimed.token, delay=0, error=LastError("TimeoutError", text), seconds=1.5) is not None


@BOTH_CARRIERS
def test_each_attempt_says_its_number_start_seconds_worker_and_error(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    msg_id = probe.send({"fail_first": 2})
    before = timezone.now()
    for _ in range(2):
        with pytest.raises(Retry):
            run_delivery(read_one())
    run_delivery(read_one())
    first, second, third = tries = tries_of(archived(probe, msg_id), now=timezone.now())
    assert [one.number for one in tries] == [1, 2, 3]
    assert [one.error for one in tries] == [
        LastError("RuntimeError", "attempt 1 was told to fail"),
        LastError("RuntimeError", "attempt 2 was told to fail"),
        None,
    ]
    assert {one.worker for one in tries} == {here()}
    assert first.started_at is not None
    assert second.started_at is not None
    assert third.started_at is not None
    assert before < first.started_at < second.started_at < third.started_at < timezone.now()
    took = (timezone.now() - before).total_seconds()
    assert all(one.seconds is not None and 0 <= one.seconds <= took for one in tries)
    assert not any(one.is_lost or one.is_underway for one in tries)


def test_the_worker_of_an_attempt_is_named_once_and_its_seconds_stay_with_it(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    msg_id = probe.send({})
    run_delivery(read_one())
    history = archived(probe, msg_id)
    assert {*history} == {
        *("attempts", "first_attempt_at", "last_attempt_at", "trace_id", "outcome", "finished_at", "tries")
    }
    assert {*history["tries"][0]} == {"number", "started_at", "seconds", "worker"}


@BOTH_CARRIERS
def test_the_attempt_under_way_is_shown_and_so_is_one_whose_worker_died(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    delivery = read_one(probe)
    assert probe.claim(delivery.token, lease=60, attempts=1, trace_id="t", worker="one:1") is not None
    (running,) = tries_on(probe, msg_id)
    assert (running.number, running.worker, running.is_underway, running.is_lost) == (1, "one:1", True, False)
    # Its worker dies: the next one finds the message when the lease is over.
    make_due(probe)
    assert probe.claim(read_one(probe).token, lease=60, attempts=2, trace_id="t", worker="two:2") is not None
    lost, running = tries_on(probe, msg_id)
    assert (lost.number, lost.worker, lost.is_lost, lost.seconds, lost.error) == (1, "one:1", True, None, None)
    assert (running.number, running.worker, running.is_underway) == (2, "two:2", True)


def test_an_attempt_whose_time_is_over_is_lost_before_anybody_has_found_it(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    assert probe.claim(read_one(probe).token, lease=0, attempts=1, trace_id="t", worker="one:1") is not None
    (lost,) = tries_on(probe, msg_id)
    assert (lost.is_lost, lost.is_underway) == (True, False)


@BOTH_CARRIERS
def test_the_last_attempt_of_a_message_that_is_given_up_was_lost(drain: Drain, probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    most = drain.queue.most_attempts
    fail_once(probe, most - 1)
    make_due(probe)
    assert probe.claim(read_one(probe).token, lease=0, attempts=most, trace_id="t", worker="dead:1") is not None
    make_due(probe)
    assert drain.look().archived == 1
    history = archived(probe, msg_id)
    assert history["reason"] == "worker_lost"
    failed, lost = tries_of(history, now=timezone.now())
    assert (failed.number, failed.seconds, failed.error) == (most - 1, 1.5, LastError("TimeoutError", "no answer"))
    assert (lost.number, lost.worker, lost.is_lost) == (most, "dead:1", True)


def test_an_attempt_that_was_put_back_has_never_been(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({"fail_first": 1})
    with pytest.raises(Retry):
        run_delivery(read_one())
    with monkeypatch.context() as patched:
        handler_that(patched, not_yet)
        for _ in range(3):
            with pytest.raises(Ignore):
                run_delivery(read_one())
    assert [one.number for one in tries_on(probe, msg_id)] == [1]
    run_delivery(read_one())
    assert [one.number for one in tries_on(probe, msg_id)] == [1, 2]


@BOTH_CARRIERS
def test_the_newest_twenty_are_kept_and_their_errors_are_bounded(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    for number in range(1, 24):
        fail_once(probe, number, "я" * 5000)
    tries = tries_on(probe, msg_id)
    assert [one.number for one in tries] == [*range(4, 24)]
    assert {len(one.error.message) for one in tries if one.error} == {300}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_column_size(to_jsonb(q)) FROM pgmq.q_{QUEUE} AS q")
        assert cursor.fetchone()[0] < 40_000


@pytest.mark.parametrize("pgmq_version", ["1.4"], indirect=True)
def test_they_go_with_the_history_to_the_column_that_has_come(probe: PgmqQueue, database: ClonedDatabase) -> None:
    msg_id = probe.send({})
    fail_once(probe, 1)
    upgrade_pgmq(database.url, "1.5")
    make_due(probe)
    held = claim(probe, read_one(probe), attempts=2)
    assert probe.finish(held, Outcome.SUCCEEDED, seconds=0.25)
    assert [(one.number, one.seconds) for one in tries_on(probe, msg_id)] == [(1, 1.5), (2, 0.25)]


def test_a_message_that_was_put_back_starts_anew(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    claimed = claim(probe, read_one(probe))
    assert probe.finish(claimed, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR, seconds=1)
    new_id = put_back(QUEUE, msg_id)
    assert tries_on(probe, new_id) == []
    assert [one.error for one in tries_on(probe, msg_id)] == [ERROR]


def test_an_outcome_that_was_kept_ends_its_attempt_without_seconds(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    claimed = claim(probe, read_one(probe))
    KeptOutcome.objects.create(
        queue=QUEUE, msg_id=msg_id, enqueued_at=claimed.enqueued_at, outcome=Outcome.SUCCEEDED, why="x"
    )
    make_due(probe)
    (delivery,) = probe.read(limit=1, lease=60)
    assert write_kept(registry.get(QUEUE), delivery)
    (only,) = tries_on(probe, msg_id)
    assert (only.number, only.seconds, only.is_lost, only.error) == (1, None, False, None)


def test_what_a_screen_refuses_was_never_attempted(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    (due,) = probe.ahead(limit=1, depth=10, octets=100)
    assert probe.refuse([(due.token, Ending(Outcome.FAILED, Reason.REFUSED, ERROR))]) == {msg_id}
    assert tries_on(probe, msg_id) == []


# Senders can write under our key as well.
FORGED = {
    "no list": '{"number": 1}',
    "a list of anything": '[1, "x", null, [], {}, {"number": "1"}, {"number": 1.5}, {"number": -1}, {"number": 1e9}]',
    "a number without end": '[{"number": 1e131071}]',
    "a fraction without end": '[{"number": 1e-16383}]',
    "too much": json.dumps([{"number": 1, "error": {"type": "x", "message": "y" * 200_000}}]),
}


@BOTH_CARRIERS
@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_nothing_that_is_not_well_formed_is_believed(probe: PgmqQueue, forged: str) -> None:
    msg_id = send_with_history(probe, f'{{"attempts": 1, "tries": {forged}}}')
    assert tries_on(probe, msg_id) == []
    fail_once(probe, 2)
    assert [one.number for one in tries_on(probe, msg_id)] == [2]


@BOTH_CARRIERS
def test_what_is_well_formed_is_bounded(probe: PgmqQueue) -> None:
    odd = '{"number": 1, "started_at": "tomorrow", "seconds": 1e-16383, "worker": {"x": 1}, "lost": 1, "error": []}'
    long = json.dumps({"number": 2, "worker": "w" * 1000, "error": {"type": "t" * 1000, "message": "m" * 1000}})
    msg_id = send_with_history(probe, f'{{"tries": [{odd}, {long}]}}')
    first, second = tries_on(probe, msg_id)
    assert first == Try(1, None)
    assert second == Try(2, None, worker="w" * 100, error=LastError("t" * 200, "m" * 300))


@BOTH_CARRIERS
def test_a_forged_attempt_under_way_keeps_no_message_from_its_work(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    forged = '{"attempts": 1, "leased_until": "soon", "last_attempt_at": "never", "worker": "w", "seconds": {}}'
    msg_id = send_with_history(probe, forged)
    assert tries_on(probe, msg_id) == []
    run_delivery(read_one())
    assert archived(probe, msg_id)["outcome"] == "succeeded"
    lost, done = tries_on(probe, msg_id)
    assert (lost.number, lost.started_at, lost.is_lost) == (1, None, True)
    assert (done.number, done.worker, done.is_lost) == (2, here(), False)


def send_with_history(queue: PgmqQueue, history: str) -> int:
    """Send `{}` with a history that its sender wrote under our key, as the text of jsonb."""
    with connection.cursor() as cursor:
        if queue.has_headers:
            cursor.execute(
                f"""SELECT pgmq.send('{queue.name}', '{{}}', ('{{"bridge": ' || %s || '}}')::jsonb)""", [history]
            )
        else:
            cursor.execute(f"""SELECT pgmq.send('{queue.name}', ('{{"_bridge": ' || %s || '}}')::jsonb)""", [history])
        return int(cursor.fetchone()[0])


MIGRATION = import_module("bridge.migrations.0010_tries")
STATEMENTS: list[Any] = [operation for operation in MIGRATION.Migration.operations if isinstance(operation, RunSQL)]


@pytest.fixture
def before_migrate(database: ClonedDatabase) -> None:
    """The functions of the version before: those of its processes, and of ours that start before `migrate`."""
    with connection.cursor() as cursor:
        for operation in reversed(STATEMENTS):
            cursor.execute(operation.reverse_sql)


def migrate() -> None:
    with connection.cursor() as cursor:
        for operation in STATEMENTS:
            cursor.execute(operation.sql)


@BOTH_CARRIERS
def test_processes_of_this_version_work_before_migrate_and_attempts_are_kept_from_then_on(
    probe: PgmqQueue, before_migrate: None
) -> None:
    task = current_app.tasks["probe.run"]
    done, waits = probe.send({}), probe.send({"fail_first": 2})
    attempt(task, done)
    attempt(task, waits)
    assert archived(probe, done)["outcome"] == "succeeded"
    migrate()
    attempt(task, waits)
    attempt(task, waits)
    assert archived(probe, waits)["outcome"] == "succeeded"
    assert [one.number for one in tries_on(probe, waits)] == [2, 3]


def test_attempts_of_processes_of_the_version_before_are_kept_too(probe: PgmqQueue) -> None:
    ours = {"attempts": 1, "last_attempt_at": "2026-11-26T10:00:00+03:00", "leased_until": "x", "worker": "new:1"}
    theirs = {"attempts": 2, "last_attempt_at": "2026-11-26T10:01:00+03:00", "leased_until": "y", "outcome": None}
    retried = {"last_error": {"type": "E", "message": "m"}, "leased_until": None, "next_retry_at": "z"}
    claimed = added(ours, theirs)
    assert "worker" not in claimed
    history = added(claimed, retried)
    assert history["tries"] == [
        {"number": 1, "started_at": "2026-11-26T10:00:00+03:00", "worker": "new:1", "lost": True},
        {"number": 2, "started_at": "2026-11-26T10:01:00+03:00", "error": {"type": "E", "message": "m"}},
    ]


def added(history: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT bridge_added(%s::jsonb, %s::jsonb)", [json.dumps(history), json.dumps(patch)])
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
        return found
