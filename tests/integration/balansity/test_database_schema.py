"""Our tables stay out of `public`, which the internet can read."""

from collections.abc import Iterator

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg2.extensions import connection as Connection
from pytest_django import DjangoDbBlocker

from sandbox.services.supabase import prepare
from tests.support.databases import DatabaseServer, django_on

EVERYTHING = """
SELECT 'relation', c.relname, c.relkind::text, c.relacl::text, pg_get_userbyid(c.relowner),
       (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0)
FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'function', p.oid::regprocedure::text, md5(p.prosrc), p.proacl::text, pg_get_userbyid(p.proowner), ''
FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', t.tgname, t.tgrelid::regclass::text, '', '', pg_get_triggerdef(t.oid)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'constraint', n.conname, n.conrelid::regclass::text, '', '', pg_get_constraintdef(n.oid)
FROM pg_constraint AS n WHERE n.connamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def supabases(database_server: DatabaseServer) -> Iterator[str]:
    """A database as Supabase has it before we come: tables, functions, triggers and families in `public`."""
    with database_server.empty() as url:
        prepare(url, seed=True)
        yield url


@pytest.fixture
def production(
    supabases: str, database_server: DatabaseServer, django_db_blocker: DjangoDbBlocker
) -> Iterator[Connection]:
    """One like it, of the test's own."""
    with django_db_blocker.unblock(), database_server.empty(like=supabases) as url:
        opened = psycopg2.connect(url)
        opened.autocommit = True
        with django_on(url.rpartition("/")[2]):
            yield opened
        opened.close()


def rows(opened: Connection, query: str) -> list[tuple[object, ...]]:
    with opened.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_migrate_changes_nothing_in_public_and_needs_no_superuser(production: Connection) -> None:
    before, families = rows(production, EVERYTHING), rows(production, "SELECT * FROM public.users ORDER BY id")
    assert len(before) > 30
    assert rows(production, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    # A second time it does nothing.
    for time in ("the first time", "a second time"):
        call_command("migrate", verbosity=0)
        assert rows(production, EVERYTHING) == before, time
        assert rows(production, "SELECT * FROM public.users ORDER BY id") == families, time
    ours = {name for (name,) in rows(production, "SELECT tablename FROM pg_tables WHERE schemaname = 'balansity'")}
    assert {"django_migrations", "auth_user", "notifications_emailmessage", "bridge_bridgeprocess"} <= ours


def test_a_role_that_may_not_create_the_schema_is_told_the_line_to_run(
    production: Connection, database_server: DatabaseServer
) -> None:
    name = connection.settings_dict["NAME"]
    with psycopg2.connect(database_server.admin_url) as admin, admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
    admin.close()
    before = rows(production, EVERYTHING)
    with pytest.raises(
        CommandError, match="CREATE SCHEMA balansity; GRANT USAGE, CREATE ON SCHEMA balansity TO balansity;"
    ):
        call_command("migrate", verbosity=0)
    assert rows(production, EVERYTHING) == before


def test_another_django_project_in_public_is_not_taken_for_ours(production: Connection) -> None:
    with production.cursor() as cursor:
        columns = "id bigserial, app varchar(255), name varchar(255), applied timestamptz"
        cursor.execute(f"CREATE TABLE public.django_migrations ({columns})")
    with pytest.raises(CommandError, match=r"public\.django_migrations exists"):
        call_command("migrate", verbosity=0)


def test_each_connection_looks_into_our_schema_first(production: Connection) -> None:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("balansity, public",)
