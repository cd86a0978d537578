"""Acts on many messages while somebody else does the same, is killed, or holds a row: each message once, and whole."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, NoReturn
from uuid import uuid4

import psycopg2
import pytest
from celery import current_app
from django.db import OperationalError, connection, connections, transaction
from kombu.exceptions import OperationalError as BrokerLost

from bridge.models import OperatorAction
from bridge.operations import driving, handed_over
from bridge.operations.codes import Acted, Action, Code
from bridge.operations.discard import discard, discard_matching
from bridge.operations.driving import Changed
from bridge.operations.failures import count
from bridge.operations.handed_over import carry_out, forsaken, hand_over
from bridge.operations.requeue import requeue, requeue_matching
from bridge.operations.retry import retry_waiting
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.sql.wanted import Wanted
from bridge.tasks import carry_out_forsaken_acts
from tests.support.databases import ClonedDatabase
from tests.support.poison import poison
from tests.support.requeueing import SOMEBODY

QUEUE = "probe_queue"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "BATCH", 10)


def fail(count: int) -> None:
    """As the bridge leaves them, all at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO pgmq.a_{QUEUE} (msg_id, read_ct, enqueued_at, archived_at, vt, message, headers)
            SELECT n, 6, now(), now(), now(), jsonb_build_object('n', n),
                   '{{"bridge": {{"outcome": "failed", "attempts": 6, "reason": "retries_exhausted",
                     "last_error": {{"type": "TimeoutError", "message": "no answer"}}}}}}'
            FROM generate_series(1, %s) AS n""",
            [count],
        )
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('pgmq.q_{QUEUE}', 'msg_id'), %s)", [count])


def links() -> tuple[dict[int, int], dict[int, int]]:
    """Which message each old one says that it was put back as, and which old one each new one says that it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (headers -> 'bridge' ->> 'requeued_as')::bigint, msg_id FROM pgmq.a_{QUEUE}"
            " WHERE headers -> 'bridge' ? 'requeued_as'"
        )
        forth = dict(cursor.fetchall())
        cursor.execute(f"SELECT msg_id, (headers -> 'bridge' ->> 'requeued_from')::bigint FROM pgmq.q_{QUEUE}")
        return forth, dict(cursor.fetchall())


def together(*works: Callable[[], Any]) -> list[Any]:
    """Each in a thread and a session of its own, begun at the same moment."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            start.wait(timeout=30)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, work) for work in works]]


def everything() -> Acted:
    return requeue_matching(QUEUE, Wanted(), actor=SOMEBODY)


def test_two_who_put_all_back_at_once_put_each_back_once(probe: PgmqQueue) -> None:
    fail(300)
    first, second = together(everything, everything)
    assert first.changed + second.changed == 300
    forth, back = links()
    assert (len(forth), forth) == (300, back)
    rows = OperatorAction.objects.all()
    assert {row.state for row in rows} == {"done"}
    assert sum(row.count for row in rows) == 300
    # Each says of what it did not do itself why.
    for done in (first, second):
        assert set(done.skipped) <= {"requeued_before"}


def test_who_puts_back_and_who_discards_share_the_messages(probe: PgmqQueue) -> None:
    fail(200)
    put_back, dropped = together(everything, lambda: discard_matching(QUEUE, Wanted(), actor=SOMEBODY))
    assert put_back.changed + dropped.changed == 200
    assert (probe.counts().total, count(QUEUE, Wanted())) == (put_back.changed, 0)
    forth, back = links()
    assert forth == back


def test_a_form_that_is_sent_twice_at_the_same_moment_acts_once(probe: PgmqQueue) -> None:
    fail(20)
    key, ids = uuid4(), list(range(1, 8))
    first, second = together(*[lambda: requeue(QUEUE, ids, actor=SOMEBODY, key=key)] * 2)
    assert (first.changed, second.changed, first.action_id) == (7, 7, second.action_id)
    assert sorted((first.is_repeated, second.is_repeated)) == [False, True]
    assert (OperatorAction.objects.count(), probe.counts().total) == (1, 7)


def test_messages_that_somebody_has_in_hand_are_come_back_to(probe: PgmqQueue, database: ClonedDatabase) -> None:
    fail(30)
    with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
        cursor.execute(f"SELECT FROM pgmq.a_{QUEUE} WHERE msg_id IN (3, 17) FOR UPDATE")
        seen: list[int] = []

        def let_go(done: Changed) -> None:
            seen.append(len(done.ids))
            if len(seen) == 3:
                other.rollback()

        done = requeue_matching(QUEUE, Wanted(), actor=SOMEBODY, tell=let_go)
    assert (seen, done.changed, done.skipped) == ([9, 9, 10, 2], 30, {})


def test_a_message_that_somebody_does_not_let_go_of_stops_no_other(
    probe: PgmqQueue, database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(15)
    real = PgmqQueue.lock_archive

    def impatient(queue: PgmqQueue, ids: list[int], *, wait: bool) -> list[int]:
        if wait:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout TO '50ms'")
                cursor.execute(f"SELECT FROM pgmq.a_{QUEUE} WHERE msg_id = ANY (%s) FOR UPDATE", [ids])
        return real(queue, ids, wait=wait)

    monkeypatch.setattr(PgmqQueue, "lock_archive", impatient)
    with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
        cursor.execute(f"SELECT FROM pgmq.a_{QUEUE} WHERE msg_id = 3 FOR UPDATE")
        done = requeue_matching(QUEUE, Wanted(), actor=SOMEBODY)
    assert (done.changed, done.skipped, [one.msg_id for one in done.refusals]) == (14, {"busy": 1}, [3])
    assert OperatorAction.objects.get().skipped == {"busy": 1}
    assert everything().changed == 1


def test_a_message_that_postgres_refuses_stops_none_of_the_others(
    probe: PgmqQueue, caplog: pytest.LogCaptureFixture
) -> None:
    fail(30)
    poison(f"pgmq.a_{QUEUE}", "message ->> 'n'", "14", when="UPDATE")
    done = everything()
    assert (done.changed, done.skipped) == (29, {"postgres_refused": 1})
    assert [(one.msg_id, one.code) for one in done.refusals] == [(14, Code.POSTGRES_REFUSED)]
    assert f"{QUEUE} 14 is left out, Postgres says" in caplog.text
    # What was sent for it was taken back with it.
    forth, back = links()
    assert (len(forth), forth) == (29, back)
    assert discard(QUEUE, [14], actor=SOMEBODY).skipped == {"postgres_refused": 1}


@contextmanager
def forked() -> Iterator[int]:
    """A process of its own: 0 in the child, which uses no connection of the parent's and ends with the block."""
    child = os.fork()
    if child == 0:  # pragma: no cover # Nobody measures what is killed.
        try:
            connection.connection = None
            yield 0
        finally:
            os._exit(1)
    yield child


def test_who_is_killed_in_the_middle_leaves_whole_batches_and_the_next_one_does_the_rest(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(60)
    real, calls = PgmqQueue.requeue, []

    def killed(queue: PgmqQueue, ids: list[int], **how: Any) -> list[tuple[int, int]]:
        pairs = real(queue, ids, **how)
        calls.append(pairs)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return pairs

    with forked() as child:
        if child == 0:
            monkeypatch.setattr(PgmqQueue, "requeue", killed)
            everything()
        _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    forth, back = links()
    assert (len(forth), forth) == (20, back)
    row = OperatorAction.objects.get()
    assert (row.count, row.state) == (20, "running")
    assert everything().changed == 40
    forth, back = links()
    assert (len(forth), forth) == (60, back)


@pytest.fixture
def handed(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> OperatorAction:
    """Sixty failed messages that workers are to put back, and what failed after that was asked for."""
    told: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **how: told.append((name, how["args"])))
    fail(60)
    done = hand_over(Action.REQUEUE, QUEUE, Wanted(), actor=SOMEBODY, reason="all of them")
    assert (done.changed, done.is_over) == (0, False)
    assert told == [("bridge.carry_out_act", [done.action_id])]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('pgmq.q_{QUEUE}', 'msg_id'), 70)")
        cursor.execute(
            f"INSERT INTO pgmq.a_{QUEUE} (msg_id, read_ct, enqueued_at, archived_at, vt, message, headers)"
            f" SELECT 61, 6, now(), now(), now(), message, headers FROM pgmq.a_{QUEUE} WHERE msg_id = 1"
        )
    return OperatorAction.objects.get()


def test_workers_go_on_in_stretches_until_all_that_was_meant_is_done(
    handed: OperatorAction, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed_over, "AT_A_STRETCH", 0.0)
    seen = []
    while carry_out(handed.pk):
        handed.refresh_from_db()
        seen.append((handed.state, handed.count))
        assert len(seen) < 20
    handed.refresh_from_db()
    assert seen == [("handed_over", number) for number in range(10, 70, 10)]
    assert (handed.state, handed.count, handed.reason) == ("done", 60, "all of them")
    assert (probe.counts().total, count(QUEUE, Wanted())) == (60, 1)
    assert not carry_out(handed.pk)
    assert probe.counts().total == 60


def test_two_workers_on_the_same_act_take_turns(handed: OperatorAction) -> None:
    together(lambda: carry_out(handed.pk), lambda: carry_out(handed.pk))
    handed.refresh_from_db()
    forth, back = links()
    assert (handed.state, handed.count, len(forth), forth == back) == ("done", 60, 60, True)


def test_an_act_whose_worker_died_is_gone_on_with_from_the_start(
    handed: OperatorAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forsaken() == []
    OperatorAction.objects.update(seen_at="2026-11-26T09:00Z", after=40, count=3)
    asked: list[Any] = []
    monkeypatch.setattr("bridge.tasks.carry_out_act.delay", lambda *args, **how: asked.append((args, how)))
    carry_out_forsaken_acts()
    assert asked == [((handed.pk,), {"from_the_start": True})]
    assert not carry_out(handed.pk, from_the_start=True)
    assert count(QUEUE, Wanted()) == 1
    assert forsaken() == []


def test_a_broker_that_is_away_keeps_nobody_from_asking(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> NoReturn:
        raise BrokerLost("Connection refused")

    monkeypatch.setattr(current_app, "send_task", away)
    hand_over(Action.DISCARD, QUEUE, Wanted(), actor=SOMEBODY)
    assert "as the broker is away" in caplog.text
    assert OperatorAction.objects.get().state == "handed_over"


def test_an_act_on_a_queue_that_was_dropped_ends(handed: OperatorAction) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    assert not carry_out(handed.pk)
    handed.refresh_from_db()
    assert (handed.state, handed.count) == ("done", 0)


@pytest.mark.parametrize("action", [Action.DISCARD, Action.RETRY])
def test_other_acts_are_handed_over_as_well(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, action: Action) -> None:
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)
    fail(12)
    done = hand_over(action, QUEUE, Wanted(), actor=SOMEBODY)
    assert done.action_id is not None
    assert not carry_out(done.action_id)
    assert OperatorAction.objects.get().count == (12 if action is Action.DISCARD else 0)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(text="anna"),
        Wanted(pattern="no /report?token=abc"),
        Wanted(error_type="anna@example.org"),
        Wanted(pattern="(@x)"),
    ],
)
def test_what_is_not_written_down_as_it_is_meant_cannot_be_handed_over(probe: PgmqQueue, wanted: Wanted) -> None:
    """It may hold an address or a token: whoever went on with the rest of it would find other messages, or none."""
    with pytest.raises(ValueError, match="not written down"):
        hand_over(Action.REQUEUE, QUEUE, wanted, actor=SOMEBODY)


def test_an_outage_ends_an_act_and_the_batches_before_it_stay(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(30)
    real, calls = PgmqQueue.lock_archive, []

    def away(queue: PgmqQueue, ids: list[int], *, wait: bool) -> list[int]:
        calls.append(ids)
        if len(calls) == 2:
            connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return real(queue, ids, wait=wait)

    monkeypatch.setattr(PgmqQueue, "lock_archive", away)
    with pytest.raises(OperationalError):
        everything()
    assert (len(calls), pgmq_queue(QUEUE).counts().total) == (2, 10)
    row = OperatorAction.objects.get()
    assert (row.count, row.state) == (10, "done")
    assert everything().changed == 20


def test_few_messages_are_one_transaction_and_all_or_none(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(3)
    monkeypatch.setattr("bridge.operations.act.end", lambda row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        requeue(QUEUE, [1, 2, 3], actor=SOMEBODY)
    assert (probe.counts().total, OperatorAction.objects.count()) == (0, 0)


def test_in_the_transaction_of_somebody_else_nothing_is_left_of_what_is_undone(probe: PgmqQueue) -> None:
    fail(3)
    with transaction.atomic():
        assert everything().changed == 3
        transaction.set_rollback(True)
    assert (probe.counts().total, OperatorAction.objects.count(), count(QUEUE, Wanted())) == (0, 0, 3)


def test_all_that_wait_for_a_repeat_are_hastened_in_batches(probe: PgmqQueue) -> None:
    probe_ids = [probe.send({}) for _ in range(25)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 hour', read_ct = 1, headers = jsonb_build_object("
            "'bridge', jsonb_build_object('attempts', 1, 'next_retry_at', now() + interval '1 hour'))"
        )
    first, second = together(*[lambda: retry_waiting(QUEUE, actor=SOMEBODY)] * 2)
    assert first.changed + second.changed == 25
    assert {one.msg_id for one in probe.read(limit=99, lease=60)} == set(probe_ids)
