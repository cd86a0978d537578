"""Template databases, made once a run and version of pgmq, and the clones that the tests work in."""

import fcntl
import itertools
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
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
from tests.support.clones import Clone
from tests.support.kept_sessions import KeptSession

# The newest first: it is the default.
PGMQ_VERSIONS = ("1.13", "1.11", "1.4")

_numbers = itertools.count(1)
# What the templates look like, by version and catalog.
_shapes: dict[str, dict[str, object]] = {}
# Clones that are as their template again, one a version of pgmq: a process runs one test at a time.
_idle: dict[str, Clone] = {}

SEEDED = "UPDATE sandbox.about SET seeded_at = now()"
# Check-ups of the samples ended weeks ago. At a full hour, so that their reports are the same from test to test.
TO_THE_HOUR = "UPDATE public.assessments SET completed_at = date_trunc('hour', completed_at)"
# No trigger is asked when a clone is filled. To turn them off and on again is written into catalogs, for all sessions.
_TRIGGERS = re.compile(r"ALTER TABLE \S+ (DISABLE|ENABLE) TRIGGER USER")


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


@cache
def samples(at: datetime | None = None) -> tuple[str, ...]:
    """The statements that make the sample families, each by itself."""
    each = (statement.strip() for statement in sample_families(at).split(";\n"))
    return tuple(statement for statement in each if statement and not _TRIGGERS.search(statement))


@dataclass(frozen=True, slots=True)
class ClonedDatabase:
    """One test's database; `url` opens it for the role that owns it, which is no superuser."""

    url: str
    name: str
    pgmq_version: str
    _clone: Clone

    def fill_with_samples(self, at: datetime | None = None) -> None:
        """What `prepare` does as well, of which nothing else is left to do here: the same rows, sooner."""
        self._clone.fill([SEEDED, *samples(at), TO_THE_HOUR])


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
                yield ClonedDatabase(self.url(clone.name), clone.name, pgmq_version, clone)
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

    def _new_clone(self, pgmq_version: str) -> Clone:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with closing(self._connect()) as admin:
            create_database(admin, name, self._template(admin, pgmq_version), by_files=True)
        connection = self._connect(name)
        return Clone(name, connection, KeptSession(), _shapes.setdefault(pgmq_version, {}))

    @contextmanager
    def empty(self, *, like: str = "template0") -> Iterator[str]:
        """Make a database that Django doesn't use, and drop it at the end; yields its address.

        There is nothing in it, or what is in the one at the address `like`, which nobody is connected to.
        """
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        with closing(self._connect()) as admin:
            create_database(admin, name, like.rpartition("/")[2])
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
            # A clone that was used has no rows of migrations either.
            made = Clone(draft, self._connect(draft), KeptSession(), {})
            with closing(made):
                made.empty_all()
            execute(admin, "ALTER DATABASE {} RENAME TO {}", sql.Identifier(draft), sql.Identifier(name))
        return name


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
