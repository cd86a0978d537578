"""Time that passes when a test says so, for all sessions at once and by no row that is changed.

Whoever makes a lease run out by moving its `vt` changes the token with it, and so never sees the owner who comes late
and still holds it. Here no row is touched: `now()`, `clock_timestamp()` and `statement_timestamp()` are found in a
schema of the test's before Postgres' own are, and add what has passed. So leases, delays, pauses and breakers end as
they would, each statement as it is in the product, and time never goes back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from django.db import connection

from balansity.postgres import base, schema

SCHEMA = "model"

_CLOCKS = {"now": "STABLE", "statement_timestamp": "STABLE", "clock_timestamp": "VOLATILE"}
_MAKE = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.time (passed interval NOT NULL);
INSERT INTO {SCHEMA}.time VALUES ('0');
CREATE TABLE {SCHEMA}.effect (msg_id bigint NOT NULL, attempt bigint NOT NULL);
""" + "".join(
    f"CREATE FUNCTION {SCHEMA}.{name}() RETURNS timestamptz LANGUAGE sql {kind} AS"
    f" $$ SELECT pg_catalog.{name}() + (SELECT passed FROM {SCHEMA}.time) $$;"
    for name, kind in _CLOCKS.items()
)


@dataclass
class Clock:
    """`passed` are the seconds by which it is ahead."""

    passed: float = 0.0

    def go_on(self, seconds: float) -> None:
        self.passed += seconds
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {SCHEMA}.time SET passed = make_interval(secs => %s)", [self.passed])


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """Let every connection that is opened within the block, and this thread's, go by the clock that is yielded."""
    before = f"SET search_path TO {schema.SCHEMA}, public;"
    assert before in base._SET_UP, "sessions are set up in another way by now"
    after = f"SET search_path TO {SCHEMA}, {schema.SCHEMA}, public, pg_catalog;"
    with connection.cursor() as cursor:
        cursor.execute(_MAKE)
    set_up = mock.patch.object(base, "_SET_UP", base._SET_UP.replace(before, after))
    # A slow machine is no full pooler.
    with set_up, mock.patch.object(base, "SET_UP_SECONDS", 60.0):
        connection.close()
        try:
            yield Clock()
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            connection.close()
