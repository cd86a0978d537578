"""Builds Supabase's side in a database, and refuses to do so where somebody's data lives."""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from sandbox.errors import SandboxError
from sandbox.services.pgmq_install import install_pgmq

_SCHEMA = Path(__file__).with_name("supabase.sql")
_SEED = Path(__file__).with_name("seed.sql")

# The number is only ours; whoever else prepares the same database waits.
_LOCK = 7_262_011

_DATA = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'
  AND n.nspname <> 'information_schema'
  -- What an empty database with the extension pgmq has; a queue of it is data.
  AND NOT (n.nspname = 'pgmq' AND c.relname IN ('meta', 'notify_insert_throttle', 'topic_bindings'))
ORDER BY 1 LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did: made the schema, filled in the sample data."""

    schema: bool
    seed: bool


def prepare(url: str, *, seed: bool, pgmq_sql: str | None = None) -> Prepared:
    """Bring the database at `url` to the state of a sandbox; without effect on one that is.

    `pgmq_sql` installs another version than the official one. Raises `SandboxError` for a database that holds data
    and was not made by us, or by another version of the schema.
    """
    with closing(psycopg2.connect(url, connect_timeout=10)) as connection, connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        made = _make_schema(connection, pgmq_sql)
        return Prepared(schema=made, seed=seed and _fill(connection))


def _make_schema(connection: Connection, pgmq_sql: str | None) -> bool:
    text = _SCHEMA.read_text(encoding="utf-8")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('sandbox.about') IS NOT NULL")
        if _value(cursor.fetchone()):
            cursor.execute("SELECT checksum FROM sandbox.about")
            if _value(cursor.fetchone()) != checksum:
                raise SandboxError(
                    "this sandbox was made by another version of sandbox/services/supabase.sql: "
                    "throw its data away with ./dev sandbox --reset, then start again"
                )
            return False
        cursor.execute(_DATA)
        tables = [name for (name,) in cursor.fetchall()]
        if tables:
            where = parse_dsn(connection.dsn)
            raise SandboxError(
                f"the database {where.get('dbname')} on {where.get('host')} holds data ({', '.join(tables)} …) and is "
                "no sandbox, so nothing was changed in it: let DATABASE_URL name an empty database, or unset it"
            )
        install_pgmq(connection, pgmq_sql)
        try:
            cursor.execute(text)
        except psycopg2.errors.InsufficientPrivilege as error:
            raise SandboxError(
                f"the role of DATABASE_URL may not build Supabase's side ({error.diag.message_primary}): let it own "
                "the database, and give it CREATEROLE or make the roles anon, authenticated and service_role beforehand"
            ) from error
        cursor.execute("INSERT INTO sandbox.about (checksum) VALUES (%s)", [checksum])
    return True


def _fill(connection: Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sandbox.about SET seeded_at = now() WHERE seeded_at IS NULL")
        if not cursor.rowcount:
            return False
        cursor.execute(sample_families())
    return True


def sample_families(at: datetime | None = None) -> str:
    """Return the SQL that fills in the sample data. Its times count from `at`, or from when it is run."""
    text = _SEED.read_text(encoding="utf-8")
    return text if at is None else text.replace("now()", f"timestamptz '{at.isoformat()}'")


def _value(row: tuple[object, ...] | None) -> object:
    return row[0] if row else None
