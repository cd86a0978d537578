"""Roles of tests change what is the whole server's, side by side."""

from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import psycopg2
import pytest

from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest


@pytest.fixture
def guest(database: ClonedDatabase, database_server: DatabaseServer) -> Iterator[Guest]:
    guest = Guest(database, database_server)
    guest.arrive()
    yield guest
    guest.leave()


def test_a_right_on_the_servers_own_database_is_given_beside_somebody_who_gives_another(
    guest: Guest, database_server: DatabaseServer
) -> None:
    failed = list[BaseException]()

    def give() -> None:
        try:
            guest.admin("GRANT TEMPORARY ON DATABASE postgres TO {role}")
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits.
            failed.append(error)

    giving = Thread(target=give)
    with closing(psycopg2.connect(database_server.admin_url)) as other, other.cursor() as cursor:
        cursor.execute(f"GRANT CONNECT ON DATABASE postgres TO {guest.name}")
        giving.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'GRANT TEMP%'"
        wait_until(lambda: not giving.is_alive() or _count(database_server, waiting), "it waits for the other")
        other.commit()
    giving.join(60)
    assert failed == []
    assert _count(database_server, f"SELECT has_database_privilege('{guest.name}', 'postgres', 'TEMPORARY')::int")


def _count(server: DatabaseServer, question: str) -> int:
    with closing(psycopg2.connect(server.admin_url)) as session, session.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
