"""Whether the role of `DATABASE_URL` sees all rows of the tables that we need, and may do with them what we do.

Row security hides rows without an error, and whoever does not see a row takes it for gone. So hidden rows are an error
in our sessions (`row_security` is off there), and this module says beforehand which table hides some and what mends it.

A policy that lets our role see every row counts as hiding: that it does so for rows to come cannot be proven.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.apps import apps
from django.db import connection, transaction

from bridge.errors import BridgeError
from bridge.queues import registry

logger = logging.getLogger(__name__)

EVERYTHING = ("SELECT", "INSERT", "UPDATE", "DELETE")
OWN_SCHEMA = "balansity"


class RowsHidden(BridgeError):
    """Rows of a table that is needed may be hidden from us: to be repeated, and nothing to be concluded from."""

    code = "rows_hidden"


@dataclass(frozen=True, slots=True)
class Need:
    """A table, what is done with it, and the queue whose work needs it; without one, only a part of the admin does."""

    table: str
    rights: tuple[str, ...]
    queue: str = ""


class Fault(StrEnum):
    """The kinds of trouble, for whoever words them for other readers."""

    OURS_MISSING = "ours_missing"
    TABLE_MISSING = "table_missing"
    SCHEMA_CLOSED = "schema_closed"
    RIGHT_LACKING = "right_lacking"
    ROWS_HIDDEN = "rows_hidden"
    FUNCTION_CLOSED = "function_closed"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps us from a table or a schema, the SQL by which its owner mends that, and whose work waits."""

    fault: Fault
    table: str
    problem: str
    remedy: str
    queues: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.table}: {self.problem}. Mended by: {self.remedy}"


_needs: list[Need] = []


def register_need(table: str, *rights: str, queue: str) -> None:
    """Name a table of Supabase's that the work of `queue` needs, with its schema."""
    _needs.append(Need(table, rights, queue))


def find_troubles() -> list[Trouble]:
    """Look at every table that we need. Raises Django's errors when Postgres is away."""
    with transaction.atomic():
        return [*_look(_all_needs()), *_look_beside_tables()]


def require_sight(*tables: str) -> None:
    """Raise `RowsHidden` unless all rows of these tables are seen. Call it in the transaction that relies on it."""
    troubles = _look([Need(table, ("SELECT",)) for table in tables])
    if troubles:
        raise RowsHidden("; ".join(map(str, troubles)))


def may_conclude(undone: str, *tables: str) -> bool:
    """Whether a row of these tables that is not found is not there. If not, the log says what stays undone and why."""
    try:
        require_sight(*tables)
    except RowsHidden as hidden:
        logger.error("%s: %s", undone, hidden)
        return False
    return True


def queue_tables(queue: str) -> tuple[str, str]:
    return f"pgmq.q_{queue}", f"pgmq.a_{queue}"


def waiting_queues(troubles: Iterable[Trouble]) -> dict[str, list[Trouble]]:
    """The troubles by the queues that cannot be worked on because of them."""
    found: dict[str, list[Trouble]] = {}
    for trouble in troubles:
        for queue in trouble.queues:
            found.setdefault(queue, []).append(trouble)
    return found


def _all_needs() -> list[Need]:
    of_queues = [Need(table, EVERYTHING, queue.name) for queue in registry for table in queue_tables(queue.name)]
    ours = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    own = [Need(f"{OWN_SCHEMA}.{table}", EVERYTHING) for table in sorted(ours | {"django_migrations"})]
    return [*of_queues, Need("pgmq.meta", ("SELECT",)), *_needs, *own]


# Catalogs, and no `to_regclass`: that is an error for a schema that we may not use. Rights on single columns are
# enough, as we name those that we need. Tables of pgmq are in small letters, and cut as Postgres cuts all names.
_LOOK = """
SELECT ns.oid IS NOT NULL, coalesce(has_schema_privilege(ns.oid, 'USAGE'), false), c.oid IS NOT NULL,
       ARRAY(SELECT wanted FROM unnest(string_to_array(need.rights, ' ')) AS wanted
             WHERE NOT has_table_privilege(c.oid, wanted)
               AND (wanted = 'DELETE' OR NOT has_any_column_privilege(c.oid, wanted))),
       coalesce(row_security_active(c.oid), false),
       coalesce(pg_has_role(c.relowner, 'USAGE'), false),
       format('%%I', need.schema), format('%%I.%%I', need.schema, need.name), format('%%I', current_user)
FROM (SELECT schema, CASE schema WHEN 'pgmq' THEN lower(name) ELSE name END AS name, rights, number
      FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS given (schema, name, rights, number)) AS need
LEFT JOIN pg_namespace AS ns ON ns.nspname = need.schema
LEFT JOIN pg_class AS c
    ON c.relnamespace = ns.oid AND c.relname = need.name::name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY need.number
"""
# Policies of Supabase's call functions there, as whoever they hold for.
_AUTH = """
SELECT format('%I', current_user) FROM pg_namespace WHERE nspname = 'auth' AND NOT has_schema_privilege(oid, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls))
"""
_FUNCTIONS = """
SELECT format('%I.%I(%s)', 'pgmq', p.proname, pg_get_function_identity_arguments(p.oid)), format('%I', current_user)
FROM pg_proc AS p JOIN pg_namespace AS ns ON ns.oid = p.pronamespace
WHERE ns.nspname = 'pgmq' AND p.proname IN ('send', 'archive') AND NOT has_function_privilege(p.oid, 'EXECUTE')
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the catalogs say about one table that is needed. Names are quoted for SQL."""

    schema_exists: bool
    may_enter: bool
    exists: bool
    lacking: list[str]
    is_hidden: bool
    is_own: bool
    schema: str
    table: str
    role: str


def _look(needs: Iterable[Need]) -> list[Trouble]:
    """The troubles with tables, in the order of the needs, each once."""
    rights: dict[str, list[str]] = {}
    queues: dict[str, list[str]] = {}
    for need in needs:
        rights.setdefault(need.table, []).extend(need.rights)
        queues.setdefault(need.table, []).extend([need.queue] if need.queue else [])
    tables = list(rights)
    schemas, names = zip(*(table.split(".", 1) for table in tables), strict=True)
    wanted = [" ".join(dict.fromkeys(rights[table])) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [list(schemas), list(names), wanted])
        seen = [_Seen(*row) for row in cursor.fetchall()]
    troubles: dict[tuple[str, str], Trouble] = {}
    for table, found in zip(tables, seen, strict=True):
        for fault, place, problem, remedy in _problems(table, found):
            known = troubles.get((place, problem))
            waiting = dict.fromkeys([*(known.queues if known else ()), *queues[table]])
            troubles[place, problem] = Trouble(fault, place, problem, remedy, tuple(waiting))
    return list(troubles.values())


def _problems(table: str, seen: _Seen) -> Iterable[tuple[Fault, str, str, str]]:
    """Its kind, where it is, what it is, what mends it. One for all tables of a schema where that is the trouble."""
    if not seen.schema_exists or (seen.may_enter and not seen.exists):
        if table.startswith("pgmq."):
            return  # Queues that are missing are told as such.
        yield (
            (Fault.OURS_MISSING, OWN_SCHEMA, "tables of ours are missing", "manage.py migrate")
            if table.startswith(OWN_SCHEMA)
            else (
                Fault.TABLE_MISSING,
                table,
                "there is no such table",
                "letting DATABASE_URL name Supabase's database",
            )
        )
    elif not seen.may_enter:
        what = f"the role {seen.role} may not use this schema"
        remedy = f"GRANT USAGE ON SCHEMA {seen.schema} TO {seen.role};"
        yield Fault.SCHEMA_CLOSED, f"schema {seen.schema}", what, remedy
    else:
        if seen.lacking:
            lacking = ", ".join(seen.lacking)
            what = f"the role {seen.role} lacks the right to {lacking}"
            yield Fault.RIGHT_LACKING, table, what, f"GRANT {lacking} ON {seen.table} TO {seen.role};"
        if seen.is_hidden:
            yield Fault.ROWS_HIDDEN, table, f"row security may hide rows from the role {seen.role}", _sight(seen)


def _sight(seen: _Seen) -> str:
    if seen.is_own:
        return f"ALTER TABLE {seen.table} NO FORCE ROW LEVEL SECURITY;"
    everywhere = f"ALTER ROLE {seen.role} BYPASSRLS;"
    if seen.schema == "pgmq":
        # Nobody reaches this schema from the internet. In `public` row security is what keeps families apart.
        return f"{everywhere} or, for this table alone, ALTER TABLE {seen.table} DISABLE ROW LEVEL SECURITY;"
    return everywhere


def _look_beside_tables() -> list[Trouble]:
    everybody = tuple(queue.name for queue in registry)
    with connection.cursor() as cursor:
        cursor.execute(_AUTH)
        troubles = [
            Trouble(
                Fault.SCHEMA_CLOSED,
                "schema auth",
                f"the role {role} may not use this schema, where policies of Supabase's call functions",
                f"GRANT USAGE ON SCHEMA auth TO {role};",
            )
            for (role,) in cursor.fetchall()
        ]
        cursor.execute(_FUNCTIONS)
        for function, role in cursor.fetchall():
            what = f"the role {role} lacks the right to EXECUTE this function"
            remedy = f"GRANT EXECUTE ON FUNCTION {function} TO {role};"
            troubles.append(Trouble(Fault.FUNCTION_CLOSED, function, what, remedy, everybody))
    return troubles
