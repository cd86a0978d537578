"""Between a message and its task the bridge asks little, and waits for no disk."""

from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bridge.daemon.drain import Drain
from bridge.daemon.flow import LEAST_IN_LINE
from bridge.daemon.publisher import Publisher
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import registry
from bridge.sql.statements import FEW_MESSAGES
from tests.support.databases import ClonedDatabase


@pytest.fixture
def asked(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the broker is asked and told, as `length` and `publish`."""
    seen: list[str] = []
    length, publish = publisher.line_length, publisher.publish

    def line_length(line: str) -> int:
        seen.append("length")
        return length(line)

    def put(*args: Any, **options: Any) -> list[int]:
        seen.append("publish")
        return publish(*args, **options)

    monkeypatch.setattr(publisher, "line_length", line_length)
    monkeypatch.setattr(publisher, "publish", put)
    return seen


def test_between_a_word_of_a_message_and_its_task_is_one_statement_and_no_question(
    drain: Drain, probe: PgmqQueue, asked: list[str]
) -> None:
    drain.look()
    asked.clear()
    probe.send({})
    with CaptureQueriesContext(connection) as statements:
        assert drain.look().published == 1
    assert [query["sql"].split(None, 1)[0] for query in statements.captured_queries] == ["SET"]
    assert "FOR UPDATE SKIP LOCKED" in statements.captured_queries[0]["sql"]
    assert asked == ["publish"]


def test_a_mail_comes_to_its_worker_by_as_few_questions(
    database: ClonedDatabase, publisher: Publisher, asked: list[str]
) -> None:
    queue = registry.get("email_queue")
    drain = Drain(queue, publisher)
    drain.look()
    asked.clear()
    pgmq_queue(queue.name).send({"to": "mother@example.ru"})
    with CaptureQueriesContext(connection) as statements:
        assert drain.look().published == 1
    assert (len(statements), asked) == (1, ["publish"])


def test_the_broker_is_asked_before_a_read_that_may_find_many_or_no_room(
    drain: Drain, probe: PgmqQueue, line: redis.Redis, asked: list[str], settings: Settings
) -> None:
    settings.MAX_TASKS_PER_CYCLE = 100
    drain.look()
    for _ in range(3 * FEW_MESSAGES):
        probe.send({})
    asked.clear()
    looks = [drain.look() for _ in range(3)]
    # A few at once; more wait, so the line is asked for; then it is full.
    assert asked == ["publish", "length", "publish", "length"]
    assert [look.published for look in looks] == [FEW_MESSAGES, LEAST_IN_LINE - FEW_MESSAGES, 0]
    assert looks[2].blocked
    assert line.llen("probe") == LEAST_IN_LINE


def test_a_lease_waits_for_no_disk(probe: PgmqQueue) -> None:
    probe.send({})
    with transaction.atomic(), connection.cursor() as cursor:
        assert probe.read(limit=1, lease=60)
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)
