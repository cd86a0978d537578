"""Beat's passes through the roll-up are left out while nothing is archived, and no message is missed by that."""

import time

import pytest
from django.db import connection

from bridge import tasks
from bridge.message import Outcome
from bridge.models import RolledHour
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.rollup import news, passing
from tests.integration.bridge.deliveries import claim, read_one
from tests.support.databases import ClonedDatabase


@pytest.fixture
def queue(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> PgmqQueue:
    monkeypatch.setattr(tasks, "_quiet", news.Quiet())
    return pgmq_queue("email_queue")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each pass added."""
    made: list[int] = []

    def counted() -> int:
        made.append(passing.roll_up_all())
        return made[-1]

    monkeypatch.setattr(tasks, "roll_up_all", counted)
    return made


def end_one(queue: PgmqQueue) -> None:
    queue.send({"x": 1})
    assert queue.finish(claim(queue, read_one(queue)), Outcome.SUCCEEDED)


def let_postgres_count() -> None:
    """As it does by itself within ten seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")


def beats(number: int) -> None:
    for _ in range(number):
        tasks.add_to_rollup()


def test_nobody_passes_while_nothing_is_archived_and_the_next_message_is_added(
    queue: PgmqQueue, passes: list[int]
) -> None:
    let_postgres_count()
    beats(5)
    assert passes == [0]
    end_one(queue)
    let_postgres_count()
    beats(5)
    # One more, as somebody may have archived while it went on.
    assert passes == [0, 1, 0]
    assert sum(RolledHour.objects.values_list("count", flat=True)) == 1


def test_what_postgres_counts_late_is_added_then(queue: PgmqQueue, passes: list[int]) -> None:
    let_postgres_count()
    beats(2)
    end_one(queue)
    let_postgres_count()
    beats(2)
    assert sum(passes) == 1


def test_a_pass_follows_all_the_same_where_counts_cannot_be_trusted(
    queue: PgmqQueue, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_postgres_count()
    beats(3)
    assert passes == [0]
    later = time.monotonic() + news.LONGEST_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    beats(2)
    assert passes == [0, 0]


def test_where_postgres_counts_nothing_every_beat_makes_its_pass(
    queue: PgmqQueue, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "_WRITTEN", news._WRITTEN.replace("current_setting('track_counts')", "'off'"))
    beats(3)
    assert passes == [0, 0, 0]


def test_a_pass_that_broke_off_is_made_again(
    queue: PgmqQueue, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_postgres_count()
    beats(2)
    end_one(queue)
    let_postgres_count()

    def broken() -> int:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "roll_up_all", broken)
        with pytest.raises(ConnectionError):
            tasks.add_to_rollup()
    beats(1)
    assert passes[-1] == 1
