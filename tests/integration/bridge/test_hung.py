"""A process that takes nothing holds back nobody: Postgres ends its session."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from django.db import DatabaseError, connection

from balansity.dashboard.bounds import bounded
from balansity.postgres.connections import limit_statements
from bridge.daemon import listener as listening
from bridge.daemon.listener import Listener
from bridge.postgres import at_most, is_outage
from tests.support.databases import ClonedDatabase
from tests.support.far_below import far_below
from tests.support.hanging import await_its_end, fill_until_it_hangs


@pytest.fixture
def hurried(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Listener, int]]:
    """A listener that is given one second, and its session."""
    monkeypatch.setattr(listening, "HUNG_SECONDS", 1)
    listener = Listener([])
    assert listener.connect()
    assert listener._connection is not None
    yield listener, listener._connection.info.backend_pid
    listener.close()


def test_postgres_ends_the_session_of_a_bridge_that_hangs(
    database: ClonedDatabase, hurried: tuple[Listener, int]
) -> None:
    listener, pid = hurried
    fill_until_it_hangs(database.url, pid)
    await_its_end(database.url, pid)
    # Once it runs again, the bridge reads what came, notices, and opens another.
    while listener.fileno() is not None:
        listener.heard()
    listener._connect_at = 0
    assert listener.connect()


def test_a_session_of_a_process_that_was_stopped_amid_a_transaction_is_ended(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('tcp_user_timeout')"
        )
        assert cursor.fetchone() == ("2min", "30000")
        cursor.execute("SET idle_in_transaction_session_timeout = 50")
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
        cursor.execute("BEGIN")
        await_its_end(database.url, pid)
        with pytest.raises(DatabaseError) as told:
            cursor.execute("SELECT 1")
    # Whoever was stopped takes it for what it is, a lost connection, and goes on with another.
    assert is_outage(told.value)
    connection.close()


def test_a_statement_that_waits_for_a_session_is_given_up(database: ClonedDatabase) -> None:
    opened = psycopg2.connect(database.url)
    with (
        far_below(60),
        pytest.raises(psycopg2.OperationalError),
        at_most(0.1, opened),
        opened.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(60)")
    opened.close()


def test_a_statement_whose_client_is_gone_does_not_run_on(database: ClonedDatabase) -> None:
    """A browser was closed, a command was killed: Postgres went on counting a million rows for forty minutes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('client_connection_check_interval')")
        assert cursor.fetchone() == ("10s",)
        cursor.execute("SET client_connection_check_interval = 50; SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    raw = connection.connection
    raw.set_session(autocommit=True)
    descriptor = os.dup(raw.fileno())
    with ThreadPoolExecutor(1) as other, closing(socket.socket(fileno=descriptor)) as line:
        running = other.submit(raw.cursor().execute, "SELECT pg_sleep(600)")
        line.shutdown(socket.SHUT_RDWR)
        await_its_end(database.url, pid)
        with pytest.raises(psycopg2.OperationalError):
            running.result()
    connection.close()


def test_a_web_process_waits_for_no_statement_longer_than_somebody_for_a_page(database: ClonedDatabase) -> None:
    connection.close()
    limit_statements(20)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            assert cursor.fetchone() == ("20s",)
        with bounded(statement=0.3), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            assert cursor.fetchone() == ("300ms",)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            assert cursor.fetchone() == ("20s",)
    finally:
        limit_statements(0)
        connection.close()
