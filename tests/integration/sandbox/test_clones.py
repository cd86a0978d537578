"""A test gets the database that another has left only if that one changed nothing but rows."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from bridge.sql import prepared
from sandbox.services.supabase import sample_families
from tests.support.clones import Clone
from tests.support.databases import PGMQ_VERSIONS, SEEDED, TO_THE_HOUR, ClonedDatabase, DatabaseServer

VERSION = PGMQ_VERSIONS[0]
MORE = "CREATE FUNCTION public.more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


@pytest.fixture(autouse=True)
def _unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Who is the first makes the template, by Django's `migrate`."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def left_open() -> Iterator[ExitStack]:
    """Connections that whoever had the database did not close."""
    with ExitStack() as stack:
        yield stack


def used(server: DatabaseServer, left_open: ExitStack, *statements: str, commit: bool = True) -> str:
    """Use a clone for `statements`; returns its name."""
    with server.clone(VERSION) as clone:
        connection = left_open.enter_context(closing(psycopg2.connect(clone.url)))
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        if commit:
            connection.commit()
        return clone.name


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE balansity.auth_group ADD COLUMN more text",
        "ALTER TABLE balansity.auth_group ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE public.payments ALTER COLUMN currency SET DEFAULT 'EUR'",
        "ALTER TABLE balansity.auth_group ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE public.payments RENAME TO bills",
        "DROP TABLE balansity.auth_group CASCADE",
        "GRANT SELECT ON balansity.auth_group TO anon",
        "CREATE POLICY all_see ON public.payments USING (true)",
        "ALTER TABLE public.payments ADD CONSTRAINT large CHECK (amount > 0) NOT VALID",
        "UPDATE pgmq.meta SET is_unlogged = true",
        "DROP SCHEMA pgmq CASCADE",
        "CREATE SCHEMA another",
    ],
)
def test_a_database_that_was_changed_is_given_to_nobody(
    database_server: DatabaseServer, left_open: ExitStack, change: str
) -> None:
    changed = used(database_server, left_open, change)
    assert used(database_server, left_open) != changed


@pytest.mark.parametrize(
    ("change", "is_there"),
    [
        ("SELECT pgmq.create('another')", "SELECT to_regclass('pgmq.q_another') IS NOT NULL"),
        ("SELECT pgmq.create('another')", "SELECT EXISTS (SELECT FROM pgmq.meta WHERE queue_name = 'another')"),
        (MORE, "SELECT to_regproc('public.more') IS NOT NULL"),
        (
            f"{MORE}; CREATE TRIGGER more BEFORE INSERT ON public.payments EXECUTE FUNCTION public.more()",
            "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'more')",
        ),
        (
            (
                "CREATE TRIGGER more BEFORE INSERT ON balansity.auth_group"
                " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'more')",
        ),
        (
            "CREATE TABLE public.more (one serial, payment uuid REFERENCES public.payments)",
            "SELECT to_regclass('public.more') IS NOT NULL",
        ),
    ],
)
def test_what_was_added_goes_again(
    database_server: DatabaseServer, left_open: ExitStack, change: str, is_there: str
) -> None:
    name = used(database_server, left_open, change)
    with database_server.clone(VERSION) as clone, closing(psycopg2.connect(clone.url)) as found:
        assert clone.name == name
        with found.cursor() as cursor:
            cursor.execute(is_there)
            assert cursor.fetchone() == (False,)
            cursor.execute("SELECT count(*) FROM pgmq.meta")
            assert cursor.fetchone() != (0,)


def test_a_large_table_is_empty_again_too(database_server: DatabaseServer, left_open: ExitStack) -> None:
    many = "INSERT INTO balansity.auth_group (name) SELECT n::text FROM generate_series(1, 2000) AS n"
    name = used(database_server, left_open, many)
    for _ in range(2):
        with database_server.clone(VERSION) as clone, closing(psycopg2.connect(clone.url)) as found:
            assert clone.name == name
            with found, found.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM balansity.auth_group")
                assert cursor.fetchone() == (0,)
                cursor.execute("INSERT INTO balansity.auth_group (name) VALUES ('x') RETURNING id")
                assert cursor.fetchone() == (1,)


def test_rows_go_and_the_database_stays(
    database_server: DatabaseServer, left_open: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = used(database_server, left_open, "SELECT 1")
    # Nor is it looked at closely, which would take longer than the rest.
    monkeypatch.setattr(Clone, "_shape_of", lambda clone, catalog: pytest.fail("nobody has changed the catalogs"))
    for _ in range(3):
        assert used(database_server, left_open, "INSERT INTO balansity.auth_group (name) VALUES ('x')") == name


def test_what_was_not_kept_changes_nothing(database_server: DatabaseServer, left_open: ExitStack) -> None:
    name = used(database_server, left_open)
    assert used(database_server, left_open, "CREATE TABLE public.not_kept (one int)", commit=False) == name
    assert used(database_server, left_open) == name


_ALL = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
WHERE table_schema IN ('auth', 'public', 'sandbox', 'pgmq') AND table_type = 'BASE TABLE'
"""


def rows_of(database: ClonedDatabase) -> dict[str, list[Any]]:
    """All rows of Supabase's side; for the moment when they were filled in stands a word.

    Without numbers that Postgres counted: in which order it inserts what it has selected is up to its plan.
    """
    with closing(psycopg2.connect(database.url)) as found, found.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(seeded_at) #>> '{}' FROM sandbox.about")
        [(moment,)] = cursor.fetchall()
        cursor.execute(_ALL)
        rows = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT to_jsonb(row)::text FROM {table} AS row ORDER BY 1")
            found_rows = [json.loads(text.replace(moment, "now")) for (text,) in cursor.fetchall()]
            rows[table] = sorted(map(_without_counted, found_rows), key=json.dumps)
        return rows


def _without_counted(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id" or not isinstance(value, int)}


def test_samples_are_the_same_rows_whether_triggers_are_asked_or_not(
    database_server: DatabaseServer, left_open: ExitStack
) -> None:
    at = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
    for _ in range(2):
        with database_server.clone(VERSION) as clone:
            clone.fill_with_samples(at)
            filled = rows_of(clone)
    with database_server.clone(VERSION) as clone:
        asked = left_open.enter_context(closing(psycopg2.connect(clone.url)))
        with asked, asked.cursor() as cursor:
            cursor.execute(f"{SEEDED}; {sample_families(at)}; {TO_THE_HOUR}")
        assert rows_of(clone) == filled
    assert len(filled["public.answers"]) > 100
    assert len(filled["public.users"]) == 5


# Of this session: the other workers of the suite have locks in databases of the same server.
ADVISORY_LOCKS = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
# What a session can hold, how it gets that, and how it is seen.
HELD = {
    "a setting": ("SET statement_timeout TO 12345", "SELECT current_setting('statement_timeout') = '12345ms'"),
    "a role": ("SET ROLE anon", "SELECT current_user = 'anon'"),
    "a lock": ("SELECT pg_advisory_lock(1)", f"SELECT EXISTS ({ADVISORY_LOCKS})"),
    "a statement": ("PREPARE p AS SELECT", "SELECT EXISTS (SELECT FROM pg_prepared_statements)"),
    "an ear": ("LISTEN here", "SELECT EXISTS (SELECT FROM pg_listening_channels())"),
}


def session(server: DatabaseServer, *statements: str) -> tuple[int, bool]:
    """Let Django execute these in a clone; returns Postgres's process and the answer to the last one."""
    with server.clone(VERSION), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        answer = cursor.fetchone() if cursor.description else None
        return connection.connection.info.backend_pid, bool(answer and answer[0])


@pytest.mark.parametrize("what", HELD)
def test_a_session_of_django_goes_on_and_holds_nothing_of_the_test_before(
    database_server: DatabaseServer, what: str
) -> None:
    hold, see = HELD[what]
    first, is_held = session(database_server, hold, see)
    assert is_held
    assert session(database_server, see) == (first, False)


def test_nor_are_plans_looked_for_in_it_that_it_had(database_server: DatabaseServer) -> None:
    """A session that has lost its plans is given no more of them, and so would be the next test's."""
    for _ in range(2):
        with database_server.clone(VERSION), connection.cursor() as cursor:
            for _ in range(2):
                prepared.execute(cursor, [prepared.Part("SELECT 1")], {})
            known = prepared._sessions[connection.connection]
            assert known.keeps
            assert len(known.plans) == 1


def test_a_session_in_the_middle_of_something_or_closed_is_given_to_nobody(database_server: DatabaseServer) -> None:
    with database_server.clone(VERSION):
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO balansity.auth_group (name) VALUES ('x')")
        first = connection.connection.info.backend_pid
    second, has_rows = session(database_server, "SELECT EXISTS (SELECT FROM balansity.auth_group)")
    assert second != first
    assert not has_rows
    with database_server.clone(VERSION):
        connection.ensure_connection()
        connection.close()
    assert session(database_server)[0] != second


def test_what_django_connects_with_otherwise_gets_a_session_of_its_own(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = session(database_server)
    options = connection.settings_dict["OPTIONS"] | {"application_name": "another"}
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "OPTIONS", options)
        assert session(database_server)[0] != first
