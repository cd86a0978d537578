"""Each query on each supported version of pgmq: the tokens, the leases, the states."""

from datetime import timedelta

import psycopg2
import pytest
from django.db import connection, transaction

from bridge.message import Outcome, Token
from bridge.pgmq import PgmqQueue, QueueMissing, pgmq_queue, queue_names
from tests.integration.bridge.deliveries import ERROR, claim, make_due, read_one
from tests.support.databases import ClonedDatabase

pytestmark = [pytest.mark.every_pgmq, pytest.mark.usefixtures("database")]


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue("email_queue")


def test_a_read_message_carries_its_body_and_is_hidden_by_the_lease(queue: PgmqQueue) -> None:
    msg_id = queue.send({"to": "a@example.ru"})
    message = read_one(queue)
    assert (message.msg_id, message.body, message.read_ct) == (msg_id, {"to": "a@example.ru"}, 1)
    assert queue.read(limit=10, lease=60) == []


def test_a_read_takes_no_more_than_its_limit_and_the_oldest_first(queue: PgmqQueue) -> None:
    ids = [queue.send({"n": n}) for n in range(5)]
    assert [message.msg_id for message in queue.read(limit=3, lease=60)] == ids[:3]
    assert [message.msg_id for message in queue.read(limit=3, lease=60)] == ids[3:]


def test_a_message_is_read_again_when_its_lease_has_run_out(queue: PgmqQueue) -> None:
    queue.send({})
    first = read_one(queue)
    make_due(queue)
    second = read_one(queue)
    assert second.msg_id == first.msg_id
    assert second.token != first.token
    assert second.read_ct == 2
    assert second.history.attempts == 0


def test_only_the_first_of_two_claims_with_one_token_wins(queue: PgmqQueue) -> None:
    queue.send({"x": 1})
    message = read_one(queue)
    claimed = claim(queue, message)
    assert claimed.body == {"x": 1}
    assert claimed.history.attempts == 1
    assert queue.claim(message.token, lease=60, attempts=1, trace_id="other") is None


def test_a_claim_with_an_old_token_finds_nothing(queue: PgmqQueue) -> None:
    queue.send({})
    old = read_one(queue)
    make_due(queue)
    read_one(queue)
    assert queue.claim(old.token, lease=60, attempts=1, trace_id="x") is None


def test_a_claim_of_a_message_that_is_gone_finds_nothing(queue: PgmqQueue) -> None:
    queue.send({})
    message = read_one(queue)
    assert queue.finish(message, Outcome.SUCCEEDED)
    assert queue.claim(message.token, lease=60, attempts=1, trace_id="x") is None


def test_the_first_attempt_keeps_its_time_when_others_follow(queue: PgmqQueue) -> None:
    queue.send({})
    first = claim(queue, read_one(queue))
    queue.retry(first.token, delay=0, error=ERROR)
    make_due(queue)
    second = claim(queue, read_one(queue), attempts=2)
    assert second.history.first_attempt_at == first.history.first_attempt_at
    assert second.history.last_attempt_at != first.history.last_attempt_at
    assert second.history.next_retry_at is None
    assert second.history.last_error == ERROR


def test_a_retry_hides_the_message_for_the_delay_and_notes_the_error(queue: PgmqQueue) -> None:
    queue.send({"x": 1})
    claimed = claim(queue, read_one(queue))
    before = queue.now()
    due = queue.retry(claimed.token, delay=30, error=ERROR)
    assert due is not None
    assert before <= due - timedelta(seconds=30) <= queue.now()
    assert queue.read(limit=1, lease=60) == []
    seconds = queue.next_due()
    assert seconds is not None
    assert seconds <= 30
    assert due <= queue.now() + timedelta(seconds=seconds)
    make_due(queue)
    again = read_one(queue)
    assert again.body == {"x": 1}
    assert again.history.last_error == ERROR
    assert again.history.next_retry_at is not None


def test_a_message_that_waits_for_its_repeat_is_under_no_lease(queue: PgmqQueue) -> None:
    msg_id = queue.send({})
    claimed = claim(queue, read_one(queue))
    assert lease_of(queue, msg_id) is not None
    assert queue.retry(claimed.token, delay=30, error=ERROR) is not None
    assert lease_of(queue, msg_id) is None


def lease_of(queue: PgmqQueue, msg_id: int) -> str | None:
    """Until when an attempt has the message, as is written on it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(to_jsonb(q) -> 'headers' -> 'bridge', q.message -> '_bridge') ->> 'leased_until'"
            f" FROM pgmq.q_{queue.name} AS q WHERE msg_id = %s",
            [msg_id],
        )
        lease: str | None = cursor.fetchone()[0]
        return lease


def test_a_retry_or_an_outcome_with_a_lost_token_changes_nothing(queue: PgmqQueue) -> None:
    queue.send({})
    stale = read_one(queue)
    make_due(queue)
    read_one(queue)
    assert queue.retry(stale.token, delay=1, error=ERROR) is None
    assert queue.finish(stale, Outcome.SUCCEEDED) is False
    assert queue.is_queued(stale.msg_id)
    assert queue.archived_history(stale.msg_id) is None


def test_released_messages_are_visible_at_once_and_the_read_is_not_counted(queue: PgmqQueue) -> None:
    queue.send({})
    queue.send({})
    kept, given_back = queue.read(limit=2, lease=60)
    assert queue.release([given_back.token]) == 1
    again = read_one(queue)
    assert again.msg_id == given_back.msg_id
    assert again.read_ct == 1
    assert queue.release([given_back.token]) == 0
    assert queue.claim(kept.token, lease=60, attempts=1, trace_id="x") is not None


def test_releasing_nothing_asks_the_database_nothing(queue: PgmqQueue) -> None:
    assert queue.release([]) == 0


def test_each_state_of_a_message_is_counted_once(queue: PgmqQueue) -> None:
    for n in range(4):
        queue.send({"n": n})
    in_line, running, retrying = queue.read(limit=3, lease=60)
    claim(queue, running)
    queue.retry(claim(queue, retrying).token, delay=60, error=ERROR)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send('email_queue', '{}'::jsonb, 60)")
    counts = queue.counts()
    assert (counts.ready, counts.in_line, counts.running, counts.retrying, counts.delayed) == (1, 1, 1, 1, 1)
    assert counts.total == 5
    assert counts.oldest_seconds is not None
    assert in_line.read_ct == 1


def test_a_message_whose_lease_has_run_out_is_ready_and_nothing_else(queue: PgmqQueue) -> None:
    queue.send({})
    claim(queue, read_one(queue))
    make_due(queue)
    counts = queue.counts()
    assert (counts.ready, counts.total) == (1, 1)


def test_an_empty_queue_has_nothing_due(queue: PgmqQueue) -> None:
    assert queue.next_due() is None
    assert queue.counts().oldest_seconds is None


def test_a_due_message_is_due_now(queue: PgmqQueue) -> None:
    queue.send({})
    due = queue.next_due()
    assert due is not None
    assert due <= 0


def test_the_queues_of_the_database_are_listed() -> None:
    assert queue_names() == [
        "analytics_queue",
        "email_queue",
        "payment_processing_queue",
        "probe_queue",
        "report_generation_queue",
    ]


def test_a_database_without_pgmq_has_no_queues() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA pgmq RENAME TO elsewhere")
        assert queue_names() == []
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", ["no_such_queue", "bad name", "x; drop table", "", "a" * 60])
def test_a_queue_that_does_not_exist_is_an_error_that_says_so(name: str) -> None:
    with pytest.raises(QueueMissing):
        pgmq_queue(name).read(limit=1, lease=1)


def test_a_read_does_not_wait_for_a_row_that_somebody_holds(queue: PgmqQueue, database: ClonedDatabase) -> None:
    held, free = queue.send({}), queue.send({})
    with psycopg2.connect(database.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM pgmq.q_email_queue WHERE msg_id = %s FOR UPDATE", [held])
        with connection.cursor() as ours:
            # Whoever waits for the row is told so.
            ours.execute("SET lock_timeout TO '1s'")
        assert [message.msg_id for message in queue.read(limit=10, lease=60)] == [free]
    other.close()


def test_a_token_of_another_message_opens_nothing(queue: PgmqQueue) -> None:
    queue.send({})
    queue.send({})
    one, other = queue.read(limit=2, lease=60)
    assert queue.claim(Token(one.msg_id, other.token.vt), lease=60, attempts=1, trace_id="x") is None


@pytest.mark.parametrize(
    ("body", "kind"), [({}, "object"), ([], "array"), ("x", "string"), (1, "number"), (True, "boolean"), (None, "null")]
)
def test_a_read_tells_the_kind_of_a_body_and_leaves_it_where_it_is(queue: PgmqQueue, body: object, kind: str) -> None:
    queue.send(body)
    (delivery,) = queue.read(limit=1, lease=60)
    assert delivery.kind == kind
    assert not hasattr(delivery, "body")


def test_a_message_is_loaded_only_by_its_owner(queue: PgmqQueue) -> None:
    queue.send({"x": 1})
    (delivery,) = queue.read(limit=1, lease=60)
    message = queue.load(delivery.token)
    assert message is not None
    assert message.body == {"x": 1}
    make_due(queue)
    read_one(queue)
    assert queue.load(delivery.token) is None


def test_a_queue_that_is_dropped_under_a_running_process_is_missing(queue: PgmqQueue) -> None:
    queue.send({})
    queue.read(limit=1, lease=60)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pgmq.q_email_queue")
    with pytest.raises(QueueMissing, match="email_queue was dropped"):
        queue.read(limit=1, lease=60)
    with pytest.raises(QueueMissing, match="there is no queue email_queue"):
        queue.read(limit=1, lease=60)
