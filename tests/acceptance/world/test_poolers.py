"""A real pgbouncer between us and Postgres: in session mode all works, in any other we refuse before we do anything."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.core.management import call_command
from django.db import OperationalError, close_old_connections, connection, connections, models
from django.db.migrations import CreateModel, Migration, RunPython, RunSQL
from django.db.migrations.state import ProjectState

from balansity.postgres import base, shared_session
from balansity.postgres.schema import SchemaLost
from balansity.postgres.shared_session import SharedSession, prove_own_session
from sandbox.services.pooler import Pooler
from sandbox.services.process import free_port
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.support.databases import ClonedDatabase, DatabaseServer

REFUSAL = "DATABASE_URL leads to a pooler in transaction or statement mode"
ADVICE = "use the direct address or the session pooler, both on port 5432"
# What wipes each session clean after each transaction, and what never does.
WIPED, DIRTY = {"server_reset_query_always": "1"}, {"server_reset_query": ""}


@contextmanager
def pooler(
    folder: Path, url: str, mode: Literal["session", "transaction", "statement"], size: int, **settings: str
) -> Iterator[Pooler]:
    started = Pooler(folder, url, mode=mode, size=size, **settings)
    started.start()
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def others(url: str, number: int) -> Iterator[None]:
    """Other clients of the pooler, each with one short transaction after the other."""
    ended = threading.Event()

    def work() -> None:
        with closing(psycopg2.connect(url)) as client:
            client.autocommit = True
            with client.cursor() as cursor:
                while not ended.is_set():
                    cursor.execute("SELECT pg_sleep(%s)", [random.random() / 200])  # noqa: S311 # No secret.

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def django_behind(url: str) -> Iterator[None]:
    """Let Django reach its database by another address."""
    settings, parts = connections.databases["default"], urlsplit(url)
    before = {name: settings[name] for name in ("PORT", "NAME")}
    connections.close_all()
    settings.update(PORT=str(parts.port), NAME=parts.path.removeprefix("/"))
    try:
        yield
    finally:
        connections.close_all()
        settings.update(before)


@contextmanager
def trusted() -> Iterator[None]:
    """Go on as if the address had been proven: what is behind the first line of defence must hold alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "prove_own_session", lambda *_, **__: True)
        yield


@contextmanager
def impatient() -> Iterator[pytest.MonkeyPatch]:
    """Wait a moment, and not seconds, for a second connection that never comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_session, "LEAST_PATIENCE", 0.2)
        yield patch


def prove(url: str) -> bool:
    with closing(psycopg2.connect(url)) as first:
        first.autocommit = True
        return prove_own_session(first, lambda: psycopg2.connect(url, async_=True))


def tables(url: str, schema: str) -> set[str]:
    with closing(psycopg2.connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'", [schema]
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize(
    ("mode", "size", "busy", "settings"),
    [
        ("transaction", 1, 0, {}),
        ("transaction", 1, 3, {}),
        ("transaction", 2, 2, {}),
        ("transaction", 5, 0, WIPED),
        ("transaction", 5, 3, {}),
        ("transaction", 3, 9, WIPED),
        ("transaction", 2, 0, {"server_round_robin": "1"}),
        ("statement", 1, 0, {}),
        ("statement", 4, 2, {}),
    ],
)
def test_a_pooler_that_shares_sessions_is_recognised_each_time(
    tmp_path: Path, database: ClonedDatabase, mode: Any, size: int, busy: int, settings: dict[str, str]
) -> None:
    with pooler(tmp_path, database.url, mode, size, **settings) as started, others(started.url, busy):
        for _ in range(5):
            with pytest.raises(SharedSession, match=REFUSAL) as refused:
                prove(started.url)
            assert ADVICE in str(refused.value)
            assert "\n" not in str(refused.value)


@pytest.mark.parametrize("settings", [{}, DIRTY])
def test_one_that_gives_each_client_a_session_is_not(
    tmp_path: Path, database: ClonedDatabase, settings: dict[str, str]
) -> None:
    assert prove(database.url)
    with (
        pooler(tmp_path, database.url, "session", 12, **settings) as started,
        others(started.url, 4),
        # Our own processes start together, and each proves for itself.
        ThreadPoolExecutor(3) as pool,
    ):
        assert list(pool.map(prove, [started.url] * 9)) == [True] * 9


def test_a_full_pooler_in_session_mode_is_no_reason_to_refuse(tmp_path: Path, database: ClonedDatabase) -> None:
    with impatient(), pooler(tmp_path, database.url, "session", 1) as started:
        assert not prove(started.url)
        with django_behind(started.url), connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            assert cursor.fetchone() == ("balansity",)


def test_with_a_hint_in_the_address_nothing_is_taken_on_trust(tmp_path: Path, database: ClonedDatabase) -> None:
    with impatient() as patch, pooler(tmp_path, database.url, "session", 1) as started:
        patch.setitem(connections.databases["default"], base.HINT, "pgbouncer=true")
        with django_behind(started.url), pytest.raises(SharedSession, match="pgbouncer=true"):
            connection.ensure_connection()
        # A pooler that has room proves that the option is only left over.
        with django_behind(database.url):
            connection.ensure_connection()


def test_every_process_refuses_with_one_line(
    tmp_path: Path, fleet: Fleet, database: ClonedDatabase, mail: Ledger
) -> None:
    msg_id = mail.send_many([{"to": "x@customers.example", "template": "welcome"}])[0]
    with pooler(tmp_path, database.url, "transaction", 3) as started, others(started.url, 2):
        fleet.variables["DATABASE_URL"] = started.url
        processes = {
            "migrate": (fleet.command("migrate"), 3),
            "queue_status": (fleet.command("queue_status", "--json"), 3),
            "bridge": (fleet.bridge(), 3),
            "worker": (fleet.worker(), 1),
            "web": (fleet.web(free_port()), 3),
        }
        for name, (process, code) in processes.items():
            assert process.await_end(seconds=60) == code, f"{name}:\n{process.tail()}"
            assert process.text.count(REFUSAL) == 1, f"{name}:\n{process.tail()}"
            assert ADVICE in process.text
            assert "Traceback" not in process.text, f"{name}:\n{process.tail()}"
    assert mail.queued()[msg_id].read_ct == 0


@contextmanager
def empty(server: DatabaseServer) -> Iterator[str]:
    """A database where a session that lost its search path looks into `public`.

    The sandbox's role has the name of our schema, which Postgres looks into by itself; others have not.
    """
    with server.empty() as url:
        with closing(psycopg2.connect(url)) as opened, opened, opened.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET search_path TO public")
        yield url


@pytest.mark.parametrize(("size", "busy", "settings"), [(2, 0, WIPED), (5, 3, {}), (1, 0, {})])
@pytest.mark.usefixtures("database")
def test_migrate_makes_no_table_in_public(
    tmp_path: Path, database_server: DatabaseServer, size: int, busy: int, settings: dict[str, str]
) -> None:
    with empty(database_server) as url:
        with (
            pooler(tmp_path, url, "transaction", size, **settings) as started,
            others(started.url, busy),
            django_behind(started.url),
            pytest.raises(SharedSession),
        ):
            call_command("migrate", verbosity=0)
        assert tables(url, "public") == set()


@pytest.mark.usefixtures("database")
def test_even_a_pooler_that_was_taken_for_another_gets_no_table_into_public(
    tmp_path: Path, database_server: DatabaseServer
) -> None:
    with empty(database_server) as url:
        with (
            pooler(tmp_path, url, "transaction", 2, **WIPED) as started,
            django_behind(started.url),
            trusted(),
            pytest.raises(SchemaLost),
        ):
            call_command("migrate", verbosity=0)
        assert tables(url, "public") == set()


def _make_with_python(apps: Any, editor: Any) -> None:
    with editor.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made_by_python (id int)")


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    "operation",
    [
        CreateModel("Made", [("id", models.BigAutoField(primary_key=True))]),
        RunSQL("CREATE TABLE made_by_sql (id int)"),
        RunSQL("SELECT 1 AS first; CREATE TABLE made_by_sql (id int)"),
        RunPython(_make_with_python),
        RunPython(_make_with_python, atomic=False),
    ],
    ids=["model", "sql", "script", "python", "python-by-itself"],
)
def test_no_kind_of_migration_writes_where_the_search_path_is_lost(
    database: ClonedDatabase, operation: Any, atomic: bool
) -> None:
    kind = type("Migration", (Migration,), {"operations": [operation], "atomic": atomic})
    migration = kind("made", "bridge")
    before = tables(database.url, "public")
    with connection.cursor() as cursor:
        cursor.execute("SET search_path TO public")
    with pytest.raises(SchemaLost), connection.schema_editor(atomic=atomic) as editor:
        migration.apply(ProjectState(), editor)
    assert tables(database.url, "public") == before

    connection.close()
    with connection.schema_editor(atomic=atomic) as editor:
        migration.apply(ProjectState(), editor)
    assert tables(database.url, "public") == before
    assert any("made" in name for name in tables(database.url, "balansity"))


def test_an_index_may_be_made_concurrently(database: ClonedDatabase) -> None:
    statement = "CREATE INDEX CONCURRENTLY made_of_names ON bridge_bridgeprocess (name)"
    with connection.schema_editor(atomic=False) as editor:
        editor.execute(statement)
        editor.execute("DROP INDEX made_of_names")
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO public")
        with pytest.raises(SchemaLost):
            editor.execute(statement)


def test_a_session_that_was_somebody_elses_is_set_up_anew(tmp_path: Path, database: ClonedDatabase) -> None:
    with pooler(tmp_path, database.url, "session", 2, **DIRTY) as started:
        clients = [psycopg2.connect(started.url) for _ in range(2)]
        for client in clients:
            client.autocommit = True
            with client.cursor() as cursor:
                cursor.execute("SET search_path TO public; SET TIME ZONE 'Asia/Tokyo'; SET statement_timeout TO 1")
                cursor.execute("SET default_transaction_read_only TO on; SET DateStyle TO 'SQL, DMY'; SET ROLE anon")
        for client in clients:
            client.close()
        with django_behind(started.url), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_schema(), current_user = session_user, current_setting('TimeZone'),"
                " current_setting('statement_timeout'), current_setting('transaction_read_only'),"
                " current_setting('DateStyle')"
            )
            assert cursor.fetchone() == ("balansity", True, "UTC", "0", "off", "ISO, MDY")


CHANGES = ["SET search_path TO public", "DISCARD ALL", "SET TIME ZONE 'Asia/Tokyo'", "SET ROLE anon"]


@pytest.mark.parametrize("change", [*CHANGES, "SET row_security TO on"])
def test_a_session_that_somebody_changed_is_replaced_when_a_request_begins(
    database: ClonedDatabase, change: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        before = cursor.fetchone()
        cursor.execute(change)
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != before
        cursor.execute("SELECT current_schema(), current_user = session_user, current_setting('TimeZone')")
        assert cursor.fetchone() == ("balansity", True, "UTC")


@pytest.mark.parametrize("change", CHANGES)
def test_in_the_middle_of_a_work_it_is_an_outage(
    database: ClonedDatabase, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(change)
    monkeypatch.setattr(base, "LOOK_EVERY_SECONDS", -1.0)
    with pytest.raises(OperationalError, match="changed by somebody else"):
        connection.cursor()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == ("balansity",)


def test_dates_are_read_whatever_the_server_writes_by_itself(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database.name} SET DateStyle TO 'German'")
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT timestamptz '2026-11-23 11:30:00+00'")
        assert cursor.fetchone() == (datetime(2026, 11, 23, 11, 30, tzinfo=UTC),)
        cursor.execute(f"ALTER DATABASE {database.name} RESET DateStyle")


def test_mail_goes_its_way_through_a_pooler_in_session_mode(
    tmp_path: Path, fleet: Fleet, database: ClonedDatabase, probe: Ledger
) -> None:
    with pooler(tmp_path, database.url, "session", 12) as started:
        fleet.variables["DATABASE_URL"] = started.url
        fleet.bridge()
        fleet.worker()
        endings = probe.await_endings(probe.send_many([{"note": True}] * 20))
        assert {(ending.outcome, ending.attempts) for ending in endings.values()} == {("succeeded", 1)}
        fleet.close()
