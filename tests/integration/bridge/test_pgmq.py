"""Each query on each supported version of pgmq: the tokens, the history, the archive."""

import json
import time
from typing import Any

import psycopg2
import pytest
from django.db import connection

from bridge.message import Delivery, Message, Outcome, Reason, Token, Unreadable
from bridge.outcome import describe_error
from bridge.pgmq import PgmqQueue, QueueMissing, pgmq_queue, queue_names
from tests.databases import ClonedDatabase

pytestmark = [pytest.mark.every_pgmq, pytest.mark.usefixtures("database")]

ERROR = describe_error(TimeoutError("no answer"))


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue("email_queue")


def read_one(queue: PgmqQueue, *, lease: int = 60) -> Message:
    (delivery,) = queue.read(limit=1, lease=lease)
    message = queue.load(delivery.token)
    assert message is not None
    return message


def claim(queue: PgmqQueue, message: Delivery | Message, *, attempts: int = 1) -> Message:
    claimed = queue.claim(message.token, lease=60, attempts=attempts, trace_id="trace")
    assert claimed is not None
    return claimed


def archived(queue: PgmqQueue, msg_id: int) -> dict[str, Any]:
    history = queue.archived_history(msg_id)
    assert history is not None
    return history


def make_due(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{queue.name} SET vt = now() - interval '1 second'")


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
    due = queue.retry(claimed.token, delay=30, error=ERROR)
    assert due is not None
    assert queue.read(limit=1, lease=60) == []
    seconds = queue.next_due()
    assert seconds is not None
    assert 28 < seconds <= 30
    make_due(queue)
    again = read_one(queue)
    assert again.body == {"x": 1}
    assert again.history.last_error == ERROR
    assert again.history.next_retry_at is not None


def test_a_retry_or_an_outcome_with_a_lost_token_changes_nothing(queue: PgmqQueue) -> None:
    queue.send({})
    stale = read_one(queue)
    make_due(queue)
    read_one(queue)
    assert queue.retry(stale.token, delay=1, error=ERROR) is None
    assert queue.finish(stale, Outcome.SUCCEEDED) is False
    assert queue.is_queued(stale.msg_id)
    assert queue.archived_history(stale.msg_id) is None


def test_the_archive_tells_how_a_message_ended(queue: PgmqQueue) -> None:
    queue.send({"x": 1})
    claimed = claim(queue, read_one(queue))
    assert queue.finish(claimed, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR)
    history = archived(queue, claimed.msg_id)
    assert history["outcome"] == "failed"
    assert history["reason"] == "permanent_error"
    assert history["last_error"] == {"type": "TimeoutError", "message": "no answer"}
    assert history["attempts"] == 1
    assert history["trace_id"] == "trace"
    assert "leased_until" not in history
    assert not queue.is_queued(claimed.msg_id)


@pytest.mark.parametrize("body", [[1, 2], "text", 5, None, True])
def test_a_body_that_is_no_object_survives_the_archive_unchanged(queue: PgmqQueue, body: object) -> None:
    queue.send(body)
    message = read_one(queue)
    assert message.body == body
    queue.finish(message, Outcome.FAILED, reason=Reason.INVALID_MESSAGE, error=ERROR)
    (failed,) = queue.failed()
    assert failed.body == body
    assert failed.reason == "invalid_message"


def test_headers_of_the_sender_are_kept(queue: PgmqQueue) -> None:
    if not queue.has_headers:
        assert "headers" not in columns(queue)
        return
    queue.send({}, headers={"x-tenant": "a", "bridge": "nonsense"})
    claimed = claim(queue, read_one(queue))
    queue.finish(claimed, Outcome.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT headers FROM pgmq.a_{queue.name}")
        headers = json.loads(cursor.fetchone()[0])
    assert headers["x-tenant"] == "a"
    assert headers["bridge"]["attempts"] == 1


def columns(queue: PgmqQueue) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'pgmq' AND table_name = %s",
            [f"q_{queue.name}"],
        )
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.parametrize("forged", ['{"attempts": "many"}', '{"attempts": 1e400}', "[]", '"x"', "null", "7"])
def test_a_forged_history_counts_as_none_and_is_replaced(queue: PgmqQueue, forged: str) -> None:
    msg_id = queue.send({"x": 1})
    carrier, key = ("headers", "bridge") if queue.has_headers else ("message", "_bridge")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.q_{queue.name}"
            f" SET {carrier} = coalesce({carrier}, '{{}}') || jsonb_build_object(%s, %s::jsonb)",
            [key, forged.replace("1e400", "1" + "0" * 400)],
        )
    message = read_one(queue)
    assert message.history.attempts == 0
    assert message.body == {"x": 1}
    claimed = claim(queue, message)
    queue.finish(claimed, Outcome.SUCCEEDED)
    assert archived(queue, msg_id)["attempts"] == 1


def test_bodies_that_python_cannot_hold_are_told_apart_and_not_raised(queue: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        nested = '{"a":' * 3000 + "1" + "}" * 3000
        cursor.execute("SELECT pgmq.send('email_queue', %s::jsonb)", [nested])
        cursor.execute("SELECT pgmq.send('email_queue', %s::jsonb)", ['{"n": ' + "9" * 5000 + "}"])
    deliveries = queue.read(limit=10, lease=60)
    assert [delivery.kind for delivery in deliveries] == ["object", "object"]
    loaded = [queue.load(delivery.token) for delivery in deliveries]
    assert [type(message.body) for message in loaded if message] == [Unreadable, Unreadable]


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


def test_an_empty_queue_has_nothing_due(queue: PgmqQueue) -> None:
    assert queue.next_due() is None
    assert queue.counts().oldest_seconds is None


def test_a_due_message_is_due_now(queue: PgmqQueue) -> None:
    queue.send({})
    due = queue.next_due()
    assert due is not None
    assert due <= 0


def test_failed_messages_come_in_pages_and_by_reason(queue: PgmqQueue) -> None:
    reasons = [Reason.PERMANENT_ERROR, Reason.WORKER_LOST, Reason.PERMANENT_ERROR]
    ids = []
    for reason in reasons:
        ids.append(queue.send({}))
        queue.finish(read_one(queue), Outcome.FAILED, reason=reason, error=ERROR)
    queue.send({})
    queue.finish(read_one(queue), Outcome.SUCCEEDED)
    assert [failed.msg_id for failed in queue.failed()] == ids
    assert [failed.msg_id for failed in queue.failed(limit=2)] == ids[:2]
    assert [failed.msg_id for failed in queue.failed(after=ids[1])] == ids[2:]
    assert [failed.msg_id for failed in queue.failed(reason=Reason.WORKER_LOST)] == [ids[1]]
    assert queue.archived_since(hours=1) == {"failed": 3, "succeeded": 1}


def test_only_old_archived_messages_are_pruned_and_no_more_than_asked(queue: PgmqQueue) -> None:
    for _ in range(3):
        queue.send({})
        queue.finish(read_one(queue), Outcome.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.a_{queue.name} SET archived_at = now() - interval '91 days' WHERE msg_id <= 2")
    assert queue.prune(days=90, limit=1) == 1
    assert queue.prune(days=90, limit=10) == 1
    assert queue.prune(days=90, limit=10) == 0
    assert queue.archived_since(hours=1) == {"succeeded": 1}


def test_the_queues_of_the_database_are_listed() -> None:
    assert queue_names() == [
        "analytics_queue",
        "email_queue",
        "payment_processing_queue",
        "probe_queue",
        "report_generation_queue",
    ]


@pytest.mark.parametrize("name", ["no_such_queue", "bad name", "x; drop table", "", "a" * 60])
def test_a_queue_that_does_not_exist_is_an_error_that_says_so(name: str) -> None:
    with pytest.raises(QueueMissing):
        pgmq_queue(name).read(limit=1, lease=1)


def test_a_read_does_not_wait_for_a_row_that_somebody_holds(queue: PgmqQueue, database: ClonedDatabase) -> None:
    held, free = queue.send({}), queue.send({})
    with psycopg2.connect(database.url) as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM pgmq.q_email_queue WHERE msg_id = %s FOR UPDATE", [held])
        started = time.monotonic()
        assert [message.msg_id for message in queue.read(limit=10, lease=60)] == [free]
        assert time.monotonic() - started < 2
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
