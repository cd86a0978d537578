"""Makes our schema, and keeps what a migration makes in it, whatever became of the session since it was set up."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from django.core.management.base import CommandError
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from balansity.postgres.shared_session import REMEDY

SCHEMA = "balansity"

# These run beside no other statement, and make no table.
_ALONE = re.compile(r"\bCONCURRENTLY\b|^\s*(VACUUM|(CREATE|ALTER|DROP)\s+(DATABASE|TABLESPACE))\b", re.IGNORECASE)
_LOST = "balansity: the search path was lost"
_CHECK = f"""\
DO $check$ BEGIN IF current_schema() IS DISTINCT FROM '{SCHEMA}' THEN RAISE EXCEPTION '{_LOST}'; END IF; END $check$"""


# As manage.py ends for a `DATABASE_URL` that must not be used.
_REFUSED = 3


class SchemaLost(CommandError):
    """A transaction of a migration does not look into our schema. It was ended before it made anything.

    No database error: Django takes those for something else on the way.
    """

    def __init__(self) -> None:
        super().__init__(
            f"A migration was stopped before it wrote outside of the schema {SCHEMA}, as the session lost its search "
            f"path: {REMEDY}",
            returncode=_REFUSED,
        )


class SchemaEditor(DatabaseSchemaEditor):
    """Checks each transaction of a migration at its first statement: operations, SQL and Python code alike."""

    def __enter__(self) -> Self:
        self._guarded = ExitStack()
        if not self.collect_sql:
            self._guarded.enter_context(self.connection.execute_wrapper(_check_first))
        try:
            return super().__enter__()
        except BaseException:
            self._guarded.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guarded:
            super().__exit__(kind, error, trace)


def _check_first(execute: Callable[..., Any], statement: Any, values: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run the statement, and the check in front of it where it begins a transaction: in that very transaction."""
    connection, cursor = context["connection"], context["cursor"]
    if connection.connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
        return execute(statement, values, many, context)
    try:
        # Django composes some statements without turning them into text.
        beside = not connection.in_atomic_block and isinstance(statement, str) and cursor.cursor.name is None
        if beside and not _ALONE.search(statement):
            return execute(f"{_CHECK}; {statement}", values, many, context)
        with connection.wrap_database_errors, connection.connection.cursor() as checking:
            checking.execute(_CHECK)
    except DatabaseError as error:
        if _LOST in str(error):
            raise SchemaLost from error
        raise
    return execute(statement, values, many, context)


def prepare_schema(connection: BaseDatabaseWrapper) -> None:
    """Make sure `migrate` writes into our schema, or stop it before it could write into `public`.

    Raises `CommandError` when the role may not create the schema or use it: Postgres would otherwise fall through
    to the next schema of the search path, which the internet can read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [SCHEMA])
        if not cursor.fetchone()[0]:
            cursor.execute("SELECT has_database_privilege(current_database(), 'CREATE'), format('%I', current_user)")
            allowed, role = cursor.fetchone()
            if not allowed:
                raise CommandError(
                    f"The schema {SCHEMA} does not exist and the role {role} may not create it. "
                    # Who is no superuser may not make it in the name of another.
                    f"Let the owner of the database run: CREATE SCHEMA {SCHEMA}; "
                    f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role};"
                )
            cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        cursor.execute(
            "SELECT has_schema_privilege(%s, 'CREATE') AND has_schema_privilege(%s, 'USAGE'),"
            " format('%%I', current_user), to_regclass('public.django_migrations') IS NOT NULL",
            [SCHEMA, SCHEMA],
        )
        allowed, role, foreign = cursor.fetchone()
    if not allowed:
        raise CommandError(
            f"The role {role} may not create tables in the schema {SCHEMA}. "
            f"Let its owner run: GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role};"
        )
    if foreign:
        raise CommandError(
            "public.django_migrations exists: another Django project lives in schema public, and Django would take "
            "its list of migrations for ours. Move that project to a schema of its own first."
        )
