"""How many places Postgres says there are, with real limits."""

from contextlib import closing

import psycopg2
import pytest
from django.db import connection
from psycopg2 import sql

from bridge.budget import is_full, places
from tests.support.databases import ClonedDatabase, DatabaseServer


def limit(server: DatabaseServer, statement: str, name: str) -> None:
    with closing(psycopg2.connect(server.admin_url)) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def test_the_narrowest_limit_counts_and_what_is_ours_is_told_apart(
    database: ClonedDatabase, database_server: DatabaseServer
) -> None:
    connection.ensure_connection()
    assert "max_connections" in places().what
    limit(database_server, "ALTER DATABASE {} CONNECTION LIMIT 15", database.name)
    try:
        found = places()
        with closing(psycopg2.connect(database.url, application_name="supabase")):
            again = places()
    finally:
        limit(database_server, "ALTER DATABASE {} CONNECTION LIMIT -1", database.name)
    assert (found.allowed, found.what) == (15, f"CONNECTION LIMIT of the database {database.name}")
    assert found.ours >= 1
    assert (again.taken, again.ours) == (found.taken + 1, found.ours)
    assert again.left_for_us == found.left_for_us - 1


def test_a_database_without_a_place_says_so(database: ClonedDatabase, database_server: DatabaseServer) -> None:
    limit(database_server, "ALTER DATABASE {} CONNECTION LIMIT 0", database.name)
    try:
        with pytest.raises(psycopg2.OperationalError) as refused:
            psycopg2.connect(database.url)
    finally:
        limit(database_server, "ALTER DATABASE {} CONNECTION LIMIT -1", database.name)
    assert is_full(refused.value)
