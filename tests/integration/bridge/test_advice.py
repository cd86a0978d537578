"""Every statement that we print is run by whom it addresses: the owner of the tables, no superuser, and not us."""

import io
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bridge.pgmq import queue_names
from bridge.queues import registry
from bridge.rights import find_troubles
from bridge.wakeup import Method, installed_method
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest, django_as


@pytest.fixture
def guest(database: ClonedDatabase, database_server: DatabaseServer) -> Iterator[Guest]:
    guest = Guest(database, database_server)
    guest.arrive()
    try:
        with django_as(guest):
            yield guest
    finally:
        guest.admin("REASSIGN OWNED BY {role} TO balansity")
        guest.leave()


class Owner:
    """Supabase's `postgres`, as this database has it."""

    def __init__(self, database: ClonedDatabase) -> None:
        self._url = database.url

    def run(self, statements: str) -> None:
        """As it stands, in a session of its own whose search path is the usual one."""
        with closing(psycopg2.connect(self._url)) as session, session, session.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            assert cursor.fetchone() == (False,)
            cursor.execute(statements)


@pytest.fixture
def owner(database: ClonedDatabase) -> Owner:
    return Owner(database)


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out)
    return out.getvalue()


def sql_of(told: str) -> str:
    """The statements behind the words that introduce them."""
    return told.rpartition(" run: ")[2]


def test_what_troubles_with_rights_are_mended_by(guest: Guest, owner: Owner) -> None:
    owner.run(
        f"REVOKE INSERT, UPDATE ON public.appointments FROM {guest.name};"
        f"REVOKE ALL ON pgmq.meta, pgmq.q_email_queue, pgmq.a_email_queue FROM {guest.name};"
        f"REVOKE USAGE ON SCHEMA public, auth FROM {guest.name}, PUBLIC;"
        f"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM {guest.name}, PUBLIC"
    )
    for _ in range(20):
        found = find_troubles()
        if not found:
            break
        owner.run(found[0].remedy)
    assert find_troubles() == []


def test_what_hidden_rows_of_a_queue_are_mended_by(guest: Guest, owner: Owner) -> None:
    guest.loses_sight()
    owner.run("ALTER TABLE pgmq.q_email_queue ENABLE ROW LEVEL SECURITY")
    found = {trouble.table: trouble.remedy for trouble in find_troubles()}
    first, _, alone = found["pgmq.q_email_queue"].partition(" or, for this table alone, ")
    owner.run(alone)
    assert "pgmq.q_email_queue" not in {trouble.table for trouble in find_troubles()}
    # Only whoever sees all rows may give that: a superuser, or on Supabase its own `postgres`.
    guest.admin(first)
    assert find_troubles() == []


@pytest.mark.parametrize("what", ["make", "use"])
def test_what_migrate_asks_for(guest: Guest, owner: Owner, what: str) -> None:
    owner.run("DROP SCHEMA balansity CASCADE")
    if what == "use":
        owner.run("CREATE SCHEMA balansity")
    guest.admin(f"REVOKE CREATE ON DATABASE {connection.settings_dict['NAME']} FROM {{role}}")
    with pytest.raises(CommandError) as refused:
        run("migrate", "--verbosity", "0")
    owner.run(sql_of(str(refused.value)))
    run("migrate", "--verbosity", "0", "bridge", "0001")


def test_what_install_wakeup_asks_for(guest: Guest, owner: Owner) -> None:
    # The role has made the schema itself, as `migrate` lets it.
    guest.admin("ALTER SCHEMA balansity OWNER TO {role}")
    guest.admin("ALTER FUNCTION balansity.bridge_notify() OWNER TO {role}")
    told = run("install_wakeup")
    statements = [line.strip() for line in told.splitlines() if "CREATE TRIGGER" in line]
    assert len(statements) >= 3
    for statement in statements:
        owner.run(statement)
    assert {installed_method(name) for name in queue_names() if name in registry} == {Method.TRIGGER}


def test_what_a_missing_queue_is_made_by(guest: Guest, owner: Owner) -> None:
    owner.run("SELECT pgmq.drop_queue('email_queue')")
    with pytest.raises(CommandError) as refused:
        run("requeue", "email_queue", "--failed")
    owner.run(sql_of(str(refused.value)))
    # What is new belongs to whoever made it, and what the role then lacks is said in turn.
    for trouble in find_troubles():
        owner.run(trouble.remedy)
    assert run("requeue", "email_queue", "--failed") == "0 put back into email_queue\n"
