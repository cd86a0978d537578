"""Installs pgmq from its official SQL: a managed Postgres has it as an extension, an embedded one has no extensions."""

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

from psycopg2.extensions import connection as Connection

from sandbox.errors import SandboxError


def official_sql(folder: Path | None = None) -> str:
    """Return the SQL that the package `pgmq` carries; `folder` is a `pip install --target` of another version."""
    path = [str(folder)] if folder else sys.path
    found: Distribution | None = next(iter(distributions(name="pgmq", path=path)), None)
    if found is None:
        raise SandboxError(f"the package pgmq is not installed{f' in {folder}' if folder else ''}: run ./dev again")
    return Path(str(found.locate_file("pgmq/sql/pgmq.sql"))).read_text(encoding="utf-8")


def install_pgmq(connection: Connection, statements: str | None = None) -> bool:
    """Install pgmq where it is missing; returns whether it was. The role needs no more than to own the database.

    The caller commits. `statements` is the SQL of another version.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regtype('pgmq.message_record') IS NOT NULL")
        row = cursor.fetchone()
        if row is not None and row[0]:
            return False
        # The SQL cannot run twice, hence the look before; its own guard covers no more than the schema.
        cursor.execute(statements or official_sql())
        return True
