"""The roll-up: what it adds up equals a full count, and what is shown is it and the rest, on each version of pgmq."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from bridge.histogram import BOUNDS, Histogram
from bridge.message import Outcome, Reason
from bridge.models import FailedMessage, RolledHour, RolledQueue
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.rollup import ready
from bridge.rollup.failures import Wanted, count_failures, failure_groups, open_failures
from bridge.rollup.passing import roll_up, roll_up_all
from bridge.rollup.reading import day, ever
from bridge.rollup.upkeep import tidy, tidy_queue
from bridge.status import read_status
from tests.integration.bridge.deliveries import ERROR, claim, read_one
from tests.support.archives import failed, failures_of, full_count, put, rolled_up, total
from tests.support.databases import ClonedDatabase
from tests.support.pgmq_upgrades import upgrade_pgmq
from tests.support.requeueing import put_back

QUEUE = "email_queue"


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue(QUEUE)


def end(queue: PgmqQueue, outcome: Outcome = Outcome.SUCCEEDED, reason: Reason | None = None) -> int:
    queue.send({"x": 1})
    claimed = claim(queue, read_one(queue))
    assert queue.finish(claimed, outcome, reason=reason, error=ERROR if reason else None)
    return claimed.msg_id


@pytest.mark.every_pgmq
def test_what_ended_is_shown_before_it_is_rolled_up_and_after(queue: PgmqQueue) -> None:
    end(queue)
    end(queue)
    end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    end(queue, Outcome.FAILED, Reason.REFUSED)
    before = day(QUEUE)
    assert (before.succeeded, before.failed, before.refused, before.ended) == (2, 2, 1, 4)
    assert roll_up_all() == 4
    assert roll_up_all() == 0
    after = day(QUEUE)
    assert (after.succeeded, after.failed, after.refused, after.ended, after.by_hour, after.running) == (
        *(2, 2, 1, 4, before.by_hour, before.running),
    )
    assert before.running.p95 is not None
    assert [(one.outcome, one.reason, one.count, one.attempts) for one in ever(QUEUE)[QUEUE]] == [
        ("failed", "permanent_error", 1, 1),
        ("failed", "refused", 1, 1),
        ("succeeded", "", 2, 2),
    ]
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert total(QUEUE) == 4
    row = FailedMessage.objects.order_by("msg_id").first()
    assert row is not None
    assert (row.reason, row.error_type, row.pattern, row.attempts) == (
        *("permanent_error", "TimeoutError", "no answer", 1),
    )


@pytest.mark.every_pgmq
def test_open_failures_are_found_before_they_are_rolled_up_and_after(queue: PgmqQueue) -> None:
    first = end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    second = end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    end(queue, Outcome.FAILED, Reason.REFUSED)
    before = open_failures(QUEUE), failure_groups(QUEUE), count_failures(QUEUE)
    assert [failure.msg_id for failure in before[0]] == [second, first]
    assert [(group.reason, group.count, group.example) for group in before[1]] == [
        ("worker_lost", 1, second),
        ("permanent_error", 1, first),
    ]
    assert before[2] == 2
    roll_up_all()
    assert (open_failures(QUEUE), failure_groups(QUEUE), count_failures(QUEUE)) == before
    assert [failure.msg_id for failure in open_failures(QUEUE, before=second)] == [first]
    assert count_failures(QUEUE, Wanted(reason=Reason.REFUSED)) == 1
    assert count_failures(QUEUE, Wanted(pattern="no answer", ids=[first])) == 1
    assert count_failures(QUEUE, Wanted(since=timezone.now())) == 0


@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_what_is_put_back_is_counted_once_and_no_failure_any_more(queue: PgmqQueue, is_rolled_up: bool) -> None:
    msg_id = end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    if is_rolled_up:
        roll_up_all()
    put_back(QUEUE, msg_id)
    tidy_queue(QUEUE)
    roll_up_all()
    assert (day(QUEUE).failed, day(QUEUE).put_back, day(QUEUE).ended) == (0, 1, 1)
    assert open_failures(QUEUE) == []
    assert rolled_up(QUEUE) == full_count(QUEUE)


# Anything may stand in an archive: whoever may write there writes what he likes.
ODD = [
    None,
    "succeeded",
    {"outcome": "succeeded"},
    {"outcome": "done"},
    {"outcome": ["failed"]},
    {"outcome": "failed"},
    {"outcome": "failed", "reason": "because", "last_error": "text", "attempts": "many", "trace_id": "x" * 90},
    {"outcome": "failed", "reason": {"a": 1}, "last_error": {"type": 7, "message": ["a"]}, "attempts": -3},
    {"outcome": "failed", "attempts": 10**30, "last_error": {"message": "y" * 9000}, "requeued_as": "x"},
    {"outcome": "failed", "requeued_as": 10**30},
    {"outcome": "succeeded", "first_attempt_at": "never", "last_attempt_at": "2026-13-45T99:00:00+00:00"},
    {"outcome": "succeeded", "first_attempt_at": "9999-12-31T23:59:59+00:00", "finished_at": "0001-01-01T00:00:00Z"},
    {"outcome": "succeeded", "last_attempt_at": "2026-11-26T10:00:00+00:00", "finished_at": "2026-11-26T09:00:00Z"},
    {"outcome": "duplicate", "reason": "refused"},
    {"outcome": "failed", "discarded_at": "infinity"},
    {"x" * 9000: 1, "outcome": "succeeded"},
]


@pytest.mark.every_pgmq
def test_whatever_strangers_archive_is_added_up(queue: PgmqQueue) -> None:
    for number, history in enumerate(ODD, start=1):
        put(QUEUE, number, history, headers=queue.has_headers)
    shown = day(QUEUE)
    assert roll_up(QUEUE) == len(ODD)
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert total(QUEUE) == len(ODD)
    assert day(QUEUE).by_hour == shown.by_hour
    assert failures_of(QUEUE) == {
        number for number, one in enumerate(ODD, 1) if isinstance(one, dict) and one.get("outcome") == "failed"
    }
    assert {failure.msg_id for failure in open_failures(QUEUE)} == failures_of(QUEUE)


@pytest.mark.parametrize("moment", ["'infinity'", "'-infinity'", "'2999-01-01'", "'4000-01-01 BC'", "'1961-04-12'"])
def test_any_time_of_archiving_is_taken(queue: PgmqQueue, moment: str) -> None:
    put(QUEUE, 1, failed(), archived_at=moment)
    put(QUEUE, -(2**63), {"outcome": "succeeded"})
    put(QUEUE, 2**63 - 2, {"outcome": "succeeded"})
    assert roll_up(QUEUE) == 3
    assert roll_up(QUEUE) == 0
    assert total(QUEUE) == 3
    (failure,) = open_failures(QUEUE)
    assert datetime(1970, 1, 1, tzinfo=UTC) <= failure.archived_at <= timezone.now()
    assert day(QUEUE).succeeded == 2


def test_a_first_pass_goes_in_chunks_and_each_is_a_transaction_of_its_own(queue: PgmqQueue) -> None:
    for number in range(1, 11):
        put(QUEUE, number, {"outcome": "succeeded"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        before = cursor.fetchone()[0]
        assert roll_up(QUEUE, chunk=3) == 10
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        # Each of ours, that of the state among them, and this one; others may have some as well.
        assert cursor.fetchone()[0] - before >= 5
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert RolledQueue.objects.get(queue=QUEUE).complete_at is not None


def test_a_pass_ends_when_its_time_is_over_and_goes_on_later(queue: PgmqQueue) -> None:
    for number in range(1, 6):
        put(QUEUE, number, {"outcome": "succeeded"})
    assert roll_up(QUEUE, chunk=2, until=0.0) == 2
    assert RolledQueue.objects.get(queue=QUEUE).complete_at is None
    assert roll_up(QUEUE, chunk=2) == 3


def test_a_queue_made_anew_is_counted_from_its_first_message_on(queue: PgmqQueue) -> None:
    for number in range(1, 4):
        put(QUEUE, number, failed())
    roll_up(QUEUE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
        cursor.execute("SELECT pgmq.create(%s)", [QUEUE])
    assert open_failures(QUEUE) == []
    assert day(QUEUE).failed == 0
    put(QUEUE, 2, failed(Reason.WORKER_LOST))
    assert [failure.reason for failure in open_failures(QUEUE)] == ["worker_lost"]
    assert roll_up(QUEUE) == 1
    assert [failure.reason for failure in open_failures(QUEUE)] == ["worker_lost"]
    assert failures_of(QUEUE) == {2}
    # Both are true, and counters must not fall.
    assert total(QUEUE) == 4


def test_a_queue_that_is_gone_leaves_its_figures_and_no_failures(queue: PgmqQueue) -> None:
    end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    roll_up_all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    roll_up_all()
    tidy()
    assert total(QUEUE) == 1


@pytest.mark.parametrize("pgmq_version", ["1.4"], indirect=True)
def test_an_upgrade_of_pgmq_under_way_counts_nothing_twice(queue: PgmqQueue, database: ClonedDatabase) -> None:
    end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    end(queue)
    roll_up(QUEUE)
    end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    upgrade_pgmq(database.url, "1.5")
    end(queue)
    roll_up(QUEUE)
    upgrade_pgmq(database.url, "1.13")
    end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    roll_up(QUEUE)
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert total(QUEUE) == 5
    assert len(failures_of(QUEUE)) == 3


def test_an_archive_with_partitions_and_without_an_index_by_id_is_added_up(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            ALTER TABLE pgmq.a_{QUEUE} RENAME TO a_{QUEUE}_old;
            CREATE TABLE pgmq.a_{QUEUE} (LIKE pgmq.a_{QUEUE}_old INCLUDING DEFAULTS) PARTITION BY RANGE (archived_at);
            CREATE TABLE pgmq.a_{QUEUE}_p1 PARTITION OF pgmq.a_{QUEUE} FOR VALUES FROM ('2000-01-01') TO ('2026-01-01');
            CREATE TABLE pgmq.a_{QUEUE}_p2 PARTITION OF pgmq.a_{QUEUE} DEFAULT;
            """
        )
    put(QUEUE, 1, failed(), archived_at="'2025-05-05'")
    put(QUEUE, 2, {"outcome": "succeeded"})
    # Only a pass looks through all of it.
    assert day(QUEUE).ended == 0
    assert roll_up(QUEUE, chunk=1) == 2
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert (day(QUEUE).succeeded, failures_of(QUEUE)) == (1, {1})


def test_nothing_is_pruned_before_it_is_in_the_rollup_and_failures_go_with_the_archive(queue: PgmqQueue) -> None:
    for number in (1, 2, 3):
        put(QUEUE, number, failed(), archived_at="now() - interval '91 days'")
    roll_up(QUEUE)
    put(QUEUE, 4, failed(), archived_at="now() - interval '92 days'")
    assert queue.prune(days=90, limit=2) == 2
    assert queue.prune(days=90, limit=10) == 1
    assert failures_of(QUEUE) == set()
    assert queue.archived_history(4) is not None
    assert roll_up(QUEUE) == 1
    assert queue.prune(days=90, limit=10) == 1
    assert total(QUEUE) == 4


def test_ids_that_no_message_will_have_are_closed_and_those_of_waiting_ones_are_not(queue: PgmqQueue) -> None:
    waiting = queue.send({})
    end_ids = []
    for _ in range(4):
        # The one that is deleted leaves a gap, and so does the one that is rolled back.
        deleted = queue.send({}, delay=60)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pgmq.delete(%s, %s::bigint)", [QUEUE, deleted])
        with transaction.atomic():
            queue.send({})
            transaction.set_rollback(True)
        number = queue.send({})
        (delivery,) = queue.read(limit=1, lease=60, ids=[number])
        assert queue.finish(delivery, Outcome.SUCCEEDED)
        end_ids.append(number)
    roll_up(QUEUE)
    assert len(RolledQueue.objects.get(queue=QUEUE).counted.split("),[")) == 4
    closed = f"{{[0,{waiting}),[{waiting + 1},{end_ids[-1] + 1})}}"
    # Whatever writes anywhere on this server, as other tests do, puts it off until that is done.
    deadline = time.monotonic() + 20
    while RolledQueue.objects.get(queue=QUEUE).counted != closed and time.monotonic() < deadline:
        tidy_queue(QUEUE, patience=0, gaps=3)
    assert RolledQueue.objects.get(queue=QUEUE).counted == closed
    (delivery,) = queue.read(limit=1, lease=60, ids=[waiting])
    assert queue.finish(delivery, Outcome.SUCCEEDED)
    assert roll_up(QUEUE) == 1
    assert rolled_up(QUEUE) == full_count(QUEUE)


def test_what_changed_in_the_archive_alone_reaches_the_failures(queue: PgmqQueue) -> None:
    for number in range(1, 5):
        put(QUEUE, number, failed())
    roll_up(QUEUE)
    with connection.cursor() as cursor:
        for number, key, value in ((1, "requeued_as", "77"), (2, "discarded_at", '"2026-11-26T10:00:00+00:00"')):
            cursor.execute(
                f"UPDATE pgmq.a_{QUEUE} SET headers = jsonb_set(headers, %s, %s) WHERE msg_id = %s",
                [["bridge", key], value, number],
            )
        cursor.execute(f"DELETE FROM pgmq.a_{QUEUE} WHERE msg_id = 3")
    tidy_queue(QUEUE)
    assert [failure.msg_id for failure in open_failures(QUEUE)] == [4]
    assert FailedMessage.objects.get(queue=QUEUE, msg_id=1).requeued_as == 77
    assert failures_of(QUEUE) == {1, 2, 4}
    assert (day(QUEUE).failed, day(QUEUE).put_back, day(QUEUE).discarded) == (1, 1, 1)


def test_old_hours_go_and_totals_stay(queue: PgmqQueue) -> None:
    put(QUEUE, 1, {"outcome": "succeeded"}, archived_at="now() - interval '401 days'")
    put(QUEUE, 2, {"outcome": "succeeded"}, archived_at="now() - interval '399 days'")
    roll_up(QUEUE)
    tidy()
    assert RolledHour.objects.count() == 1
    assert [one.count for one in ever(QUEUE)[QUEUE]] == [2]


def test_percentiles_are_as_good_as_the_buckets(queue: PgmqQueue) -> None:
    for number in range(1, 101):
        began = datetime(2026, 11, 26, 10, tzinfo=UTC)
        put(
            QUEUE,
            number,
            {
                "outcome": "succeeded",
                "attempts": 1,
                "last_attempt_at": began.isoformat(),
                "finished_at": (began + timedelta(seconds=number / 10)).isoformat(),
            },
        )
    roll_up(QUEUE)
    running = day(QUEUE).running
    assert running.p50 == pytest.approx(5.0, rel=0.15)
    assert running.p95 == pytest.approx(9.5, rel=0.15)
    (ended,) = ever(QUEUE)[QUEUE]
    assert ended.running.seconds == pytest.approx(505.0)
    assert ended.running.total == 100
    assert Histogram().percentile(50) is None
    assert Histogram.of([0] * len(BOUNDS) + [1], 1e6).percentile(50) == BOUNDS[-1]


def test_the_status_counts_no_archive(queue: PgmqQueue, broker_url: str) -> None:
    end(queue)
    end(queue, Outcome.FAILED, Reason.REFUSED)
    msg_id = end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    put_back(QUEUE, msg_id)
    (status,) = (one for one in read_status().queues if one.name == QUEUE)
    roll_up_all()
    (rolled,) = (one for one in read_status().queues if one.name == QUEUE)
    for one in (status, rolled):
        assert (one.succeeded, one.failed, one.refused, one.put_back) == (1, 1, 1, 1)
    # It is no longer there to be counted.
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE pgmq.a_{QUEUE}")
    (rolled,) = (one for one in read_status().queues if one.name == QUEUE)
    assert rolled.succeeded == 1


def test_a_deep_queue_is_counted_no_further_than_is_useful(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send_batch(%s, ARRAY(SELECT '{}'::jsonb FROM generate_series(1, 500)))", [QUEUE])
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET enqueued_at = now() - interval '1 hour' WHERE msg_id = 3")
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 hour' WHERE msg_id > 400")
        cursor.execute(f"ANALYZE pgmq.q_{QUEUE}")
    exact, about = queue.counts(), queue.counts(most=200, looked=50)
    assert (exact.ready, exact.delayed, exact.is_about) == (400, 100, False)
    assert exact.oldest_seconds == pytest.approx(3600, abs=60)
    assert (about.is_about, about.delayed) == (True, 100)
    assert about.ready == pytest.approx(400, abs=60)
    assert about.oldest_seconds == pytest.approx(3600, abs=60)


def test_a_deep_queue_that_is_hidden_is_not_taken_for_one_that_is_due(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send_batch(%s, ARRAY(SELECT '{}'::jsonb FROM generate_series(1, 500)))", [QUEUE])
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 hour', read_ct = msg_id % 2 WHERE msg_id > 20"
        )
        cursor.execute(f"VACUUM ANALYZE pgmq.q_{QUEUE}")
    about = queue.counts(most=100, looked=60)
    assert (about.ready, about.is_about) == (20, True)
    assert about.in_line + about.delayed == pytest.approx(480, rel=0.5)
    assert about.in_line == pytest.approx(about.delayed, rel=0.1)


def test_before_migrate_has_made_its_tables_all_goes_on_as_before(queue: PgmqQueue, broker_url: str) -> None:
    end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE bridge_rolledqueue, bridge_rolledhour, bridge_rolledtotal, bridge_failedmessage CASCADE"
        )
    ready._seen_in.clear()
    (status,) = (one for one in read_status().queues if one.name == QUEUE)
    assert (status.failed, status.day) == (1, None)
    assert roll_up_all() == 0
    tidy()
    put_back(QUEUE, 1)
