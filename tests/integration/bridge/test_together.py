"""Deliveries whose work is nothing but rows: one transaction for all, and who takes part in it."""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.utils import timezone

from bridge import holds
from bridge.holds import PAUSE
from bridge.message import Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import BUNDLE_SECONDS
from bridge.tries import tries_of
from bridge.worker import together
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.bundles import outcomes, read, recorded, send
from tests.integration.bridge.conftest import Handle, RunBundle, archived
from tests.integration.bridge.deliveries import claim, make_due
from tests.integration.bridge.test_tries import BOTH_CARRIERS, here, send_with_history
from tests.support.databases import ClonedDatabase

pytestmark = pytest.mark.usefixtures("transactional")


def transactions() -> int:
    """How many have written what is archived; others have theirs on the same server meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(DISTINCT xmin::text)::int FROM pgmq.a_{QUEUE}")
        return int(cursor.fetchone()[0])


@BOTH_CARRIERS
def test_all_are_done_by_one_transaction_and_each_has_its_outcome_its_rows_and_its_line(
    probe: PgmqQueue, run_bundle: RunBundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ids = send(probe, {"note": True}, {}, {"note": True})
    deliveries = read(probe, 3)
    before = timezone.now()
    run_bundle(deliveries)
    assert transactions() == 1
    assert outcomes(probe, ids) == [("succeeded", 1)] * 3
    assert recorded(ids[0], ids[2]) == [True, True]
    for msg_id in ids:
        history = archived(probe, msg_id)
        assert history["trace_id"] == f"trace-{msg_id}"
        assert history.keys() == {
            *("attempts", "trace_id", "first_attempt_at", "last_attempt_at", "outcome", "finished_at", "tries")
        }
        (only,) = tries_of(history, now=timezone.now())
        assert (only.number, only.worker, only.is_lost, only.error) == (1, here(), False, None)
        assert only.started_at is not None
        assert before < only.started_at < timezone.now()
        assert only.seconds is not None
        assert 0 <= only.seconds <= (timezone.now() - before).total_seconds()
        assert f"{QUEUE} {msg_id}: done at attempt 1" in caplog.messages


@BOTH_CARRIERS
@pytest.mark.parametrize("text", ['{"attempts": 1}', '{"attempts": 0}', '{"attempts": "x"}'])
def test_what_says_that_it_was_begun_before_goes_the_ordinary_way(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], text: str
) -> None:
    seen: list[int] = []
    handle(lambda message: seen.append(message.msg_id))
    begun, fresh = send_with_history(probe, text), probe.send({})
    run_bundle(read(probe, 2))
    assert [ended for ended, _ in outcomes(probe, [begun, fresh])] == ["succeeded"] * 2
    # What is no count counts as nothing.
    assert seen == ([begun, fresh] if '"x"' in text else [fresh])


def test_what_was_read_before_is_never_bundled(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    seen: list[int] = []
    handle(lambda message: seen.append(message.msg_id))
    (suspect,) = send(probe, {})
    read(probe, 1)
    make_due(probe)
    (fresh,) = send(probe, {})
    run_bundle(read(probe, 2))
    assert seen == [fresh]
    assert outcomes(probe, [suspect, fresh]) == [("succeeded", 1)] * 2


def test_a_stale_token_runs_nothing_and_leaves_the_message_to_its_owner(
    probe: PgmqQueue, run_bundle: RunBundle
) -> None:
    stale, fresh = send(probe, {"note": True}, {"note": True})
    deliveries = read(probe, 2)
    owner = claim(probe, deliveries[0])
    run_bundle(deliveries)
    assert (probe.is_queued(stale), recorded(stale, fresh)) == (True, [False, True])
    assert probe.load(owner.token) is not None


def test_a_bundle_of_before_does_nothing_to_messages_that_were_given_back_and_read_anew(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    handle(lambda message: pytest.fail("it ran for somebody who had lost it"))
    ids = send(probe, {}, {})
    late = read(probe, 2)
    probe.release([one.token for one in late])
    owners = {one.token for one in read(probe, 2)}
    run_bundle(late)
    assert [probe.is_queued(msg_id) for msg_id in ids] == [True, True]
    assert {token for token in owners if probe.load(token)} == owners


def test_nothing_is_started_in_a_held_queue(probe: PgmqQueue, run_bundle: RunBundle) -> None:
    ids = send(probe, {"note": True}, {"note": True})
    deliveries = read(probe, 2)
    holds.place(QUEUE, PAUSE, by="staff", why="x")
    run_bundle(deliveries)
    assert recorded(*ids) == [False, False]
    holds.lift(QUEUE, PAUSE)
    assert [(one.read_ct, one.history.attempts) for one in read(probe, 2)] == [(1, 0)] * 2


def test_a_hold_that_comes_in_the_middle_lets_the_begun_ones_end_and_gives_the_others_back(
    probe: PgmqQueue,
    run_bundle: RunBundle,
    handle: Callable[[Handle], None],
    database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(together, "LOOK_SECONDS", 0.0)
    failing, second, third = ids = send(probe, {}, {}, {})

    def act(message: Message) -> None:
        if message.msg_id == failing:
            raise ValueError("it goes alone, and does not get so far")
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO balansity.bridge_queuehold (queue, cause, since, by, why) VALUES (%s, %s, now(), 's', '')",
                [QUEUE, PAUSE],
            )
            other.commit()

    handle(act)
    run_bundle(read(probe, 3))
    assert outcomes(probe, [second]) == [("succeeded", 1)]
    assert [probe.is_queued(msg_id) for msg_id in ids] == [True, False, True]
    holds.lift(QUEUE, PAUSE)
    # What began and failed counts as read, so that no bundle begins with it once more.
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(failing, 2), (third, 1)]


def test_what_slow_work_leaves_goes_back(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], clock: Any
) -> None:
    def act(message: Message) -> None:
        clock.tick(timedelta(seconds=BUNDLE_SECONDS + 1))

    handle(act)
    first, *rest = send(probe, {}, {}, {})
    run_bundle(read(probe, 3))
    assert outcomes(probe, [first]) == [("succeeded", 1)]
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(msg_id, 1) for msg_id in rest]


def test_a_message_that_takes_all_the_time_keeps_none_from_its_outcome_and_is_not_bundled_again(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    def act(message: Message) -> None:
        if message.body:
            raise SoftTimeLimitExceeded

    handle(act)
    done, slow, rest = send(probe, {}, {"slow": True}, {})
    run_bundle(read(probe, 3))
    assert outcomes(probe, [done]) == [("succeeded", 1)]
    make_due(probe)
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(slow, 2), (rest, 1)]


def test_while_a_bundle_is_at_work_nobody_reads_or_claims_its_messages_though_their_lease_is_over(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], database: ClonedDatabase
) -> None:
    ids = send(probe, {"note": True}, {"note": True})
    deliveries = probe.read(limit=2, lease=0)
    seen: list[Any] = []

    def act(message: Message) -> None:
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute(f"SELECT clock_timestamp() > vt FROM pgmq.q_{QUEUE} WHERE msg_id = %s", [message.msg_id])
            seen.extend(cursor.fetchall())
            cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE} WHERE vt <= now() FOR UPDATE SKIP LOCKED")
            seen.extend(cursor.fetchall())

    handle(act)
    run_bundle(deliveries)
    assert seen == [(True,), (True,)]
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2


def test_the_second_copy_of_a_bundle_finds_nothing_to_do_while_the_first_is_at_work_and_after(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], database: ClonedDatabase
) -> None:
    ids = send(probe, {}, {})
    deliveries = read(probe, 2)
    ran: list[int] = []
    taken: list[Any] = []

    def act(message: Message) -> None:
        ran.append(message.msg_id)
        query = pgmq_queue(QUEUE)._statement("take_together")
        values: dict[str, Any] = {"name": QUEUE, "msg_ids": [one.msg_id for one in deliveries]}
        values |= {"vts": [one.token.vt for one in deliveries]}
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute("SET search_path TO balansity, public; SET lock_timeout TO '1s'")
            cursor.execute(query, values)
            taken.extend(cursor.fetchall())

    handle(act)
    run_bundle(deliveries)
    run_bundle(deliveries)
    assert (ran, taken) == (ids, [])
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2


def test_a_handler_that_asks_a_service_outside_is_never_bundled(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    from tests.support.outages import laboratory  # noqa: PLC0415 - it knows models.

    handle(lambda message: pytest.fail("it ran in a bundle"))
    with laboratory():
        ids = send(probe, {}, {})
        run_bundle(read(probe, 2))
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2
