"""Postgres says when a message arrives, if the role may ask it to."""

import os
import select
from contextlib import closing

import psycopg2
import pytest
from django.db import connection

from bridge import wakeup
from bridge.daemon.listener import Listener
from bridge.message import LastError
from bridge.pgmq import PgmqQueue, QueueMissing
from bridge.wakeup import Method
from tests.support.databases import ClonedDatabase

QUEUE = "probe_queue"


@pytest.fixture
def listener(probe: PgmqQueue) -> Listener:
    listener = Listener([QUEUE])
    assert listener.connect()
    return listener


def heard_within(listener: Listener, seconds: float) -> set[str]:
    descriptor = listener.fileno()
    assert descriptor is not None
    select.select([descriptor], [], [], seconds)
    return listener.heard()


@pytest.mark.every_pgmq
def test_our_trigger_names_the_queue_once_for_a_whole_batch(probe: PgmqQueue, listener: Listener) -> None:
    done = wakeup.install(QUEUE, Method.TRIGGER)
    assert not done.problem
    assert "CREATE TRIGGER" in done.statement
    assert wakeup.installed_method(QUEUE) is Method.TRIGGER
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send_batch(%s, array['{}', '{}', '{}']::jsonb[])", [QUEUE])
    assert heard_within(listener, 5) == {QUEUE}
    assert heard_within(listener, 0.05) == set()
    listener.close()


def test_pgmqs_own_trigger_is_understood_too(probe: PgmqQueue, listener: Listener) -> None:
    assert not wakeup.install(QUEUE, Method.PGMQ).problem
    assert wakeup.installed_method(QUEUE) is Method.PGMQ
    probe.send({})
    assert heard_within(listener, 5) == {QUEUE}
    listener.close()


def test_installing_one_kind_takes_the_other_away(probe: PgmqQueue) -> None:
    wakeup.install(QUEUE, Method.PGMQ)
    wakeup.install(QUEUE, Method.TRIGGER)
    wakeup.install(QUEUE, Method.TRIGGER)
    assert wakeup.installed_method(QUEUE) is Method.TRIGGER
    wakeup.install(QUEUE, Method.PGMQ)
    assert wakeup.installed_method(QUEUE) is Method.PGMQ
    wakeup.remove(QUEUE)
    assert wakeup.installed_method(QUEUE) is None


def test_a_retry_wakes_the_bridge_even_without_a_trigger(probe: PgmqQueue, listener: Listener) -> None:
    probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    probe.retry(message.token, delay=1, error=LastError("X", "y"))
    assert heard_within(listener, 5) == {QUEUE}
    listener.close()


def test_what_a_worker_hands_back_wakes_the_bridge_once(probe: PgmqQueue, listener: Listener) -> None:
    for _ in range(2):
        probe.send({})
    probe.release(message.token for message in probe.read(limit=2, lease=60))
    assert heard_within(listener, 5) == {QUEUE}
    assert heard_within(listener, 0.05) == set()
    listener.close()


@pytest.mark.parametrize("pgmq_version", ["1.4"], indirect=True)
def test_pgmqs_trigger_on_a_pgmq_without_it_is_a_problem_that_is_told(probe: PgmqQueue) -> None:
    done = wakeup.install(QUEUE, Method.PGMQ)
    assert "enable_notify_insert" in done.problem
    assert wakeup.installed_method(QUEUE) is None


def test_a_role_that_may_not_gets_the_statement_for_somebody_who_may(
    probe: PgmqQueue, database: ClonedDatabase, admin_of_database: str
) -> None:
    owner = f"owner_{os.getpid()}"
    with closing(psycopg2.connect(admin_of_database)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f"CREATE ROLE {owner}")
        try:
            cursor.execute(f"GRANT USAGE, CREATE ON SCHEMA pgmq TO {owner}")
            cursor.execute(f"ALTER TABLE pgmq.q_{QUEUE} OWNER TO {owner}")
            done = wakeup.install(QUEUE, Method.TRIGGER)
            assert "permission denied" in done.problem
            cursor.execute(f"SET ROLE {owner}")
            cursor.execute(done.statement)
            cursor.execute("RESET ROLE")
        finally:
            cursor.execute(f"RESET ROLE; REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}")
            cursor.execute(f"DROP ROLE {owner}")
    assert wakeup.installed_method(QUEUE) is Method.TRIGGER


def test_a_queue_that_does_not_exist_is_an_error(probe: PgmqQueue) -> None:
    with pytest.raises(QueueMissing):
        wakeup.install("no_such_queue", Method.TRIGGER)


def test_a_broken_connection_is_dropped_and_opened_again(probe: PgmqQueue, listener: Listener) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'balansity listener' AND datname = current_database()"
        )
    # The server's farewell and the end of the stream may come as two events.
    while listener.fileno() is not None:
        assert heard_within(listener, 5) == set()
    listener._connect_at = 0
    assert listener.connect()
    listener.close()
