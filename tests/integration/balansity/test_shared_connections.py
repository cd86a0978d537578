"""Threads of a web process share sessions: a request begins with one that is as it was set up, and gives it back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, ProgrammingError, close_old_connections, connection, transaction

from balansity.postgres import pool as pooling
from balansity.postgres.base import LOOK_EVERY_SECONDS
from balansity.postgres.pool import Pool
from tests.acceptance.waiting import wait_until
from tests.support.counting_relay import before_postgres
from tests.support.databases import ClonedDatabase


@pytest.fixture
def shared(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Two connections for all threads of this process, as in a web process."""
    connection.close()
    monkeypatch.setattr(pooling, "PATIENCE_SECONDS", 0.2)
    pool = Pool(2, lambda: False, lambda: None)
    monkeypatch.setattr(pooling, "_pool", pool)
    yield pool
    connection.close()
    monkeypatch.setattr(pooling, "_pool", None)
    while pool._free:
        pool._free.pop().raw.close()
    # With none left nobody looks after them.
    pool._open = 0


def request(*statements: str) -> list[Any]:
    """What a request to a web process does with the database; returns what each statement found."""
    close_old_connections()
    found = []
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found += [cursor.fetchone()] if cursor.description else []
    finally:
        close_old_connections()
    return found


SESSION = "SELECT pg_backend_pid()"


def test_the_next_request_has_the_session_of_the_one_before_whatever_its_thread(shared: Pool) -> None:
    (first,) = request(SESSION)
    assert connection.connection is None
    with ThreadPoolExecutor(1) as other:
        assert other.submit(request, SESSION).result() == [first]
    assert request(SESSION) == [first]
    assert shared._open == 1


def test_requests_at_the_same_time_have_sessions_of_their_own(shared: Pool) -> None:
    both = Barrier(2)

    def meet(_: int) -> Any:
        close_old_connections()
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
            (session,) = cursor.fetchone()
            both.wait(30)
        close_old_connections()
        return session

    with ThreadPoolExecutor(2) as threads:
        found = [*threads.map(meet, range(2))]
    assert len({*found}) == 2
    with connection.cursor() as cursor, ThreadPoolExecutor(2) as threads:
        cursor.execute("SELECT pg_advisory_lock(1)")
        # The first to come waits for the lock, and the other one in vain for a place.
        waiting = [
            threads.submit(request, "SELECT pg_advisory_lock_shared(1), pg_advisory_unlock_all()") for _ in range(2)
        ]
        wait_until(lambda: any(each.done() for each in waiting), "one of them is told that there is none")
        cursor.execute("SELECT pg_advisory_unlock(1)")
        ends = [each.exception() for each in waiting]
    assert [type(end) for end in ends if end] == [OperationalError]


@pytest.mark.parametrize("change", ["SET search_path TO public", "SET ROLE anon", "DISCARD ALL"])
def test_a_session_that_a_request_has_changed_is_given_to_no_other(shared: Pool, change: str) -> None:
    (first,) = request(SESSION, change)
    again, schema = request(SESSION, "SELECT current_schema()")
    assert again != first
    assert schema == ("balansity",)
    assert shared._open == 1


@pytest.fixture
def said(database: ClonedDatabase) -> Iterator[Callable[[], int]]:
    """How often this process has said something to Postgres."""
    with before_postgres() as relay:
        yield lambda: relay.said


def test_an_answer_waits_for_its_own_statements_and_for_nothing_about_the_session(
    said: Callable[[], int], shared: Pool
) -> None:
    request(SESSION)
    close_old_connections()
    before = said()
    with connection.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute(SESSION)
    answered = said()
    # Django calls this when the answer is out.
    close_old_connections()
    assert (answered - before, said() - answered) == (2, 1)


def test_a_session_that_ended_just_now_is_given_to_nobody(shared: Pool, database: ClonedDatabase) -> None:
    ((first,),) = request(SESSION)
    with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    ((second,),) = request(SESSION)
    assert second != first
    assert shared._open == 1


def test_a_session_that_somebody_changed_while_nobody_had_it_is_found_out_a_second_later(shared: Pool) -> None:
    ((first,),) = request(SESSION)
    (kept,) = shared._free
    with kept.raw.cursor() as cursor:
        cursor.execute("SET search_path TO public")
    shared._free = [replace(kept, since=kept.since - LOOK_EVERY_SECONDS)]
    ((second,),) = request(SESSION)
    assert second != first


def test_a_session_knows_when_to_end_though_it_is_told_once(shared: Pool) -> None:
    asked = "SHOW idle_in_transaction_session_timeout"
    assert request(asked) == request(asked) == [("2min",)]


def break_it() -> None:
    with pytest.raises(OperationalError):
        request("SELECT pg_terminate_backend(pg_backend_pid())")


def leave_a_transaction_open() -> None:
    close_old_connections()
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    close_old_connections()


def open_one_past_django() -> None:
    request("BEGIN")


def fail_in_a_block() -> None:
    with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")


@pytest.mark.parametrize("end", [break_it, leave_a_transaction_open, open_one_past_django, fail_in_a_block])
def test_however_a_request_ends_the_next_has_a_session_that_works(shared: Pool, end: Callable[[], None]) -> None:
    end()
    close_old_connections()
    for _ in range(3):
        assert request("SELECT 1") == [(1,)]
    assert shared._open <= 2
    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(lambda _: request("SELECT 1"), range(4))] == [[(1,)]] * 4
