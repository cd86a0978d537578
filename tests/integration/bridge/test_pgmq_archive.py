"""The archive as the ledger, and what senders may have written where our history stands, on each version of pgmq."""

import json

import pytest
from django.db import connection

from bridge.message import Outcome, Reason, Unreadable
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.rollup.passing import roll_up
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import ERROR, claim, read_one
from tests.support.databases import ClonedDatabase

pytestmark = [pytest.mark.every_pgmq, pytest.mark.usefixtures("database")]


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue("email_queue")


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
    assert json.loads(queue.failed(characters=100)[0].text or "") == body
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
    assert queue.archived_since(hours=1).outcomes == {"failed": 3, "succeeded": 1}


def test_only_old_messages_of_the_rollup_are_pruned_and_no_more_than_asked(queue: PgmqQueue) -> None:
    for _ in range(3):
        queue.send({})
        queue.finish(read_one(queue), Outcome.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.a_{queue.name} SET archived_at = now() - interval '91 days' WHERE msg_id <= 2")
    assert queue.prune(days=90, limit=1) == 0
    roll_up(queue.name)
    assert queue.prune(days=90, limit=1) == 1
    assert queue.prune(days=90, limit=10) == 1
    assert queue.prune(days=90, limit=10) == 0
    assert queue.archived_since(hours=1).outcomes == {"succeeded": 1}
