"""Holds as rows: placed once, ended by somebody or by their time, and no trouble before their table is there."""

import select
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import psycopg2
import pytest
from django.db import connection, transaction

from bridge import holds
from bridge.holds import PAUSE, Hold
from sandbox.probe.apps import QUEUE
from tests.support.databases import ClonedDatabase


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found


def only_hold() -> Hold:
    ((hold,),) = holds.in_force().values()
    return hold


def test_the_second_to_place_one_finds_the_first(database: ClonedDatabase) -> None:
    before = now()
    assert holds.place(QUEUE, PAUSE, by="anna", why="the server moves")
    assert not holds.place(QUEUE, PAUSE, by="boris", why="me too", until=now() + timedelta(hours=1))
    hold = only_hold()
    assert (hold.queue, hold.cause, hold.by, hold.why, hold.until) == (QUEUE, PAUSE, "anna", "the server moves", None)
    assert before <= hold.since <= now()


def test_causes_hold_apart_from_one_another(database: ClonedDatabase) -> None:
    assert holds.place(QUEUE, PAUSE, by="anna", why="a")
    assert holds.place(QUEUE, "service:smtp", by="breaker", why="b")
    assert holds.place("other", PAUSE, by="anna", why="c")
    assert holds.lift(QUEUE, PAUSE)
    assert not holds.lift(QUEUE, PAUSE)
    assert {queue: [hold.cause for hold in found] for queue, found in holds.in_force().items()} == {
        QUEUE: ["service:smtp"],
        "other": [PAUSE],
    }
    assert holds.in_force(QUEUE).keys() == {QUEUE}


def test_one_ends_by_itself_and_its_place_is_free(database: ClonedDatabase) -> None:
    assert holds.place(QUEUE, PAUSE, by="anna", why="", until=now())
    assert holds.in_force() == {}
    assert not holds.lift(QUEUE, PAUSE), "what has ended cannot be ended"
    assert holds.place(QUEUE, PAUSE, by="anna", why="", until=now())
    assert holds.place(QUEUE, PAUSE, by="boris", why="again")
    assert only_hold().by == "boris"
    assert holds.forget_ended(older_than=timedelta(0)) == 0


def test_what_ended_long_ago_is_forgotten(database: ClonedDatabase) -> None:
    holds.place(QUEUE, PAUSE, by="anna", why="", until=now() - timedelta(days=2))
    holds.place("other", PAUSE, by="anna", why="")
    assert holds.forget_ended(older_than=timedelta(days=3)) == 0
    assert holds.forget_ended(older_than=timedelta(days=1)) == 1
    assert holds.in_force().keys() == {"other"}


def test_who_saw_an_older_one_changes_nothing(database: ClonedDatabase) -> None:
    holds.place(QUEUE, PAUSE, by="anna", why="a")
    seen, hour = only_hold(), now() + timedelta(hours=1)
    assert holds.change(seen, by="boris", why="b", until=hour)
    assert not holds.change(seen, by="vera", why="c", until=None), "boris was first"
    assert (only_hold().by, only_hold().why, only_hold().until) == ("boris", "b", hour)
    again = only_hold()
    holds.lift(QUEUE, PAUSE)
    holds.place(QUEUE, PAUSE, by="galina", why="d", until=hour)
    assert not holds.change(again, by="vera", why="c", until=None), "this is another pause"


def test_the_end_of_several_is_that_of_the_last(database: ClonedDatabase) -> None:
    early, late = now() + timedelta(hours=1), now() + timedelta(hours=2)
    holds.place(QUEUE, PAUSE, by="anna", why="", until=late)
    holds.place(QUEUE, "service:smtp", by="breaker", why="", until=early)
    assert holds.end_of(holds.in_force()[QUEUE]) == late
    holds.place(QUEUE, "service:storage", by="breaker", why="")
    assert holds.end_of(holds.in_force()[QUEUE]) is None


@pytest.fixture
def ears(database: ClonedDatabase, admin_of_database: str) -> Iterator["psycopg2.extensions.connection"]:
    """Somebody who listens where bridges do."""
    with closing(psycopg2.connect(admin_of_database)) as listening:
        listening.autocommit = True
        with listening.cursor() as cursor:
            cursor.execute("LISTEN balansity_bridge")
        yield listening


def test_bridges_hear_of_each_change_with_its_commit(ears: "psycopg2.extensions.connection") -> None:
    heard: list[str] = []

    def hears(*queues: str) -> bool:
        """Whether these were named since the last time. The last one tells that nothing is still on its way."""
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY balansity_bridge, 'over'")
        while not heard or heard[-1] != "over":
            assert select.select([ears], [], [], 10)[0]
            ears.poll()
            heard.extend(note.payload for note in ears.notifies)
            ears.notifies.clear()
        told, heard[:] = tuple(heard[:-1]), []
        return told == queues

    with transaction.atomic():
        holds.place(QUEUE, PAUSE, by="anna", why="")
        ears.poll()
        assert not ears.notifies
    assert hears(QUEUE)
    assert holds.change(only_hold(), by="anna", why="b", until=None)
    assert hears(QUEUE)
    assert holds.let_through(QUEUE, PAUSE, 17)
    assert hears(QUEUE)
    assert holds.lift(QUEUE, PAUSE)
    assert hears(QUEUE)
    assert not holds.lift(QUEUE, PAUSE)
    assert hears()


def test_nothing_is_held_before_the_table_is_there(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_queuehold")
    with transaction.atomic():
        assert holds.in_force() == {}
        assert holds.in_force(QUEUE) == {}
