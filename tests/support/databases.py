"""Template databases, made once a run and version of pgmq, and the clones that the tests work in."""

import fcntl
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg2
from django.core.management import call_command
from django.db import connections
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from sandbox.packages import CHECKOUT
from sandbox.probe.apps import QUEUE as PROBE_QUEUE
from sandbox.services.pgmq_install import official_sql
from sandbox.services.postgres import OWNER, create_database, drop_database, execute
from sandbox.services.supabase import prepare, sample_families
from tests.support.kept_sessions import KeptSession

# The newest first: it is the default.
PGMQ_VERSIONS = ("1.13", "1.11", "1.4")

_numbers = itertools.count(1)
# Clones that are as their template again, one a version of pgmq: a process runs one test at a time.
_idle: dict[str, "_Clone"] = {}

_OURS = "('public', 'pgmq', 'balansity', 'auth', 'sandbox')"

# How many rows of the catalogs were ever written. While it is the same, so is the shape below, and looking at
# that takes longer than many tests take. Whoever wrote has ended by then, and has counted what he wrote.
_WRITTEN = """
SELECT sum(pg_stat_get_tuples_inserted(one) + pg_stat_get_tuples_updated(one) + pg_stat_get_tuples_deleted(one))
FROM unnest(ARRAY['pg_class', 'pg_proc', 'pg_trigger', 'pg_policy', 'pg_constraint', 'pg_namespace', 'pg_attribute',
                  'pg_attrdef']::regclass[]) AS one
"""

_SEEDED = "UPDATE sandbox.about SET seeded_at = now()"
# Check-ups of the samples ended weeks ago. At a full hour, so that their reports are the same from test to test.
_TO_THE_HOUR = "UPDATE public.assessments SET completed_at = date_trunc('hour', completed_at)"

# Everything but rows, and whether the samples were filled in.
_SHAPE = f"""
SELECT (SELECT md5(string_agg(concat_ws(' ', oid, relname, relowner, relacl, relrowsecurity, relforcerowsecurity),
                              ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace::regnamespace::text IN {_OURS}),
       (SELECT (count(*), max(oid), md5(string_agg(concat(prosrc, proacl), '' ORDER BY oid))) FROM pg_proc
        WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN {_OURS})),
       (SELECT (count(*), max(oid)) FROM pg_trigger),
       (SELECT (count(*), max(oid)) FROM pg_policy),
       (SELECT (count(*), max(oid)) FROM pg_constraint),
       (SELECT (count(*), max(oid), string_agg(nspacl::text, '' ORDER BY oid)) FROM pg_namespace),
       (SELECT md5(string_agg(format('%s %s %s %s %s', attrelid, attnum, attname, atttypid, attnotnull), ','
                              ORDER BY attrelid, attnum))
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace::regnamespace::text IN {_OURS}),
       (SELECT md5(string_agg(format('%s %s', adrelid, pg_get_expr(adbin, adrelid)), ',' ORDER BY pg_attrdef.oid))
        FROM pg_attrdef)
"""

_DISCONNECT_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)
"""

# Only what was ever written into, which is little of much: a table that never was has no pages. Deleting makes none of
# the files that truncating does, and leaves dead rows behind, so a table that has grown is truncated.
# What the template has rows in stays; foreign keys and triggers are none of this.
_EMPTY = f"""
DO $$
DECLARE one regclass;
BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR one IN SELECT oid FROM pg_class
               WHERE relkind = 'r' AND relnamespace::regnamespace::text IN {_OURS} AND pg_relation_size(oid) > 0
                 AND oid::regclass::text NOT IN ('balansity.django_migrations', 'balansity.django_content_type',
                                                 'balansity.auth_permission', 'sandbox.about', 'pgmq.meta')
    LOOP
        IF pg_relation_size(one) > 20 * 8192 THEN
            EXECUTE format('TRUNCATE %s CASCADE', one);
        ELSE
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
    UPDATE sandbox.about SET seeded_at = NULL WHERE seeded_at IS NOT NULL;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences
    WHERE last_value IS NOT NULL AND schemaname IN {_OURS}
      AND sequencename NOT IN ('django_migrations_id_seq', 'auth_permission_id_seq', 'django_content_type_id_seq');
END $$
"""


def pgmq_sql(version: str) -> str:
    """Return what installs that version. 1.11 lies in a folder of its own, beside the installed package."""
    match version:
        case "1.13":
            return official_sql()
        case "1.11":
            return official_sql(Path(os.environ.get("PGMQ_1_11", CHECKOUT / ".venv" / "pgmq-1.11")))
        case "1.4":
            return (CHECKOUT / "tests" / "support" / "pgmq_versions" / "pgmq_1_4.sql").read_text(encoding="utf-8")
        case _:
            raise ValueError(f"no such version of pgmq: {version}")


@dataclass(frozen=True, slots=True)
class ClonedDatabase:
    """One test's database; `url` opens it for the role that owns it, which is no superuser."""

    url: str
    name: str
    pgmq_version: str

    def fill_with_samples(self) -> None:
        """What `prepare` does as well, of which nothing else is left to do here."""
        with (
            closing(psycopg2.connect(self.url, connect_timeout=10)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"{_SEEDED}; {sample_families()}; {_TO_THE_HOUR}")


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """The run's Postgres: where its sandbox keeps files, and the superuser's address."""

    folder: Path
    admin_url: str

    def to_text(self) -> str:
        return json.dumps([str(self.folder), self.admin_url])

    @classmethod
    def from_text(cls, text: str) -> Self:
        folder, url = json.loads(text)
        return cls(Path(folder), url)

    def url(self, name: str) -> str:
        parts = urlsplit(self.admin_url)
        return f"postgres://{OWNER}:{parts.password}@{parts.hostname}:{parts.port}/{name}"

    @contextmanager
    def clone(self, pgmq_version: str) -> Iterator[ClonedDatabase]:
        """Let Django use a database that is as the version's template.

        A clone that was used before is emptied, which takes a tenth of the time of another clone, unless a test changed
        more than rows in it, or the connection to it is lost: such a one is dropped.
        """
        clone = _idle.pop(pgmq_version, None) or self._new_clone(pgmq_version)
        try:
            with django_on(clone.name, keep=clone.session):
                yield ClonedDatabase(self.url(clone.name), clone.name, pgmq_version)
        finally:
            if clone.empty():
                _idle[pgmq_version] = clone
            else:
                clone.close()
                with closing(self._connect()) as admin:
                    drop_database(admin, clone.name)

    def lend_to_forks(self, pgmq_version: str = PGMQ_VERSIONS[0], *, intact: bool) -> None:
        """Have a clone ready that forks of this process use, one fork after another, and nobody else meanwhile.

        To be called between two of them; `intact` says that the last one, if any, was not stopped in the middle.
        """
        clone = _idle.pop(pgmq_version, None)
        if clone is not None:
            clone.session.close()
        if clone is not None and not (intact and clone.empty()):
            clone.close()
            with closing(self._connect()) as admin:
                drop_database(admin, clone.name)
            clone = None
        _idle[pgmq_version] = clone or self._new_clone(pgmq_version)

    def _new_clone(self, pgmq_version: str) -> "_Clone":
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with closing(self._connect()) as admin:
            create_database(admin, name, self._template(admin, pgmq_version))
        connection = self._connect(name)
        return _Clone(name, connection, _shape(connection), _written(connection), KeptSession())

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Make a database with nothing in it that Django doesn't use, and drop it at the end; yields its address."""
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        with closing(self._connect()) as admin:
            create_database(admin, name)
            try:
                yield self.url(name)
            finally:
                drop_database(admin, name)

    def _connect(self, name: str = "postgres") -> Connection:
        admin = psycopg2.connect(f"{self.admin_url.rpartition('/')[0]}/{name}", connect_timeout=10)
        admin.autocommit = True
        return admin

    def _template(self, admin: Connection, pgmq_version: str) -> str:
        name = f"template_{pgmq_version}"
        # The workers share the templates: the first one makes it, the others wait.
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with admin.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
                if cursor.rowcount:
                    return name
            draft = f"{name}_draft"
            drop_database(admin, draft)
            create_database(admin, draft)
            prepare(self.url(draft), seed=False, pgmq_sql=pgmq_sql(pgmq_version))
            with django_on(draft):
                call_command("migrate", verbosity=0)
                with connections["default"].cursor() as cursor:
                    cursor.execute("SELECT pgmq.create(%s)", [PROBE_QUEUE])
            execute(admin, "ALTER DATABASE {} RENAME TO {}", sql.Identifier(draft), sql.Identifier(name))
        return name


@dataclass(slots=True)
class _Clone:
    """A clone, the superuser's connection to it, and what it looked like when it was new.

    `written` is how much of its catalogs had been written when that was last seen to be so.
    """

    name: str
    connection: Connection
    shape: tuple[object, ...] | None
    written: int
    session: KeptSession

    def close(self) -> None:
        self.session.close()
        self.connection.close()

    def empty(self) -> bool:
        """Bring it back to its template; false when it cannot be used again."""
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(_DISCONNECT_OTHERS, [self.session.pid])
            written = _written(self.connection)
            if written != self.written:
                if _shape(self.connection) != self.shape:
                    return False
                self.written = written
            with self.connection.cursor() as cursor:
                cursor.execute(_EMPTY)
        except psycopg2.OperationalError:
            # Some tests restart Postgres, or end all that is connected.
            return False
        return True


def _written(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN)
        [(number,)] = cursor.fetchall()
        return int(number)


def _shape(connection: Connection) -> tuple[object, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(_SHAPE)
        return cursor.fetchone()


@contextmanager
def django_on(name: str, *, keep: KeptSession | None = None) -> Iterator[None]:
    """Point Django's default connection at another database of the same server, in all threads.

    With `keep`, the first connection is made with the session that was kept, and the last one's is kept.
    """
    settings = connections.databases["default"]
    before = settings["NAME"]
    connections.close_all()
    settings["NAME"] = name
    try:
        if keep is None:
            yield
        else:
            with keep.used():
                yield
    finally:
        connections.close_all()
        settings["NAME"] = before
