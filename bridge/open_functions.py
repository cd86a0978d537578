"""Functions by which whoever holds Supabase's public key reads, hides, archives or sends messages of our queues.

They are Supabase's, and older than this service. Nobody needs them open after the Node worker is gone: triggers and
cron jobs that call them run as their owner. To close them is for that owner; whoever asks `queue_status` is told how.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

# Whoever is not signed in at Supabase, and whoever is.
STRANGERS = ("anon", "authenticated")
# Those that production's migrations made; whatever else leads to pgmq is found by its source.
KNOWN = frozenset(
    (
        *("pgmq_read", "pgmq_archive", "pgmq_nack", "queue_email_task", "queue_report_generation"),
        *("queue_payment_processing", "send_appointment_reminders"),
    )
)
PGMQ = re.compile(r"\bpgmq\s*\.|\bpgmq_public\s*\.", re.IGNORECASE)

# Functions in C call nothing of ours, and a trigger's cannot be called. A body by the SQL standard has no source.
_FUNCTIONS = """
SELECT p.proname,
       CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_get_functiondef(p.oid) END,
       p.prosecdef,
       CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
       format('%%I.%%I(%%s)', ns.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       format('%%I', pg_get_userbyid(p.proowner)),
       ARRAY(SELECT rolname::text FROM pg_roles
             WHERE rolname = ANY (%(strangers)s) AND has_schema_privilege(oid, ns.oid, 'USAGE')
               AND has_function_privilege(oid, p.oid, 'EXECUTE') ORDER BY rolname)
FROM pg_proc AS p
JOIN pg_namespace AS ns ON ns.oid = p.pronamespace
JOIN pg_language AS l ON l.oid = p.prolang
WHERE ns.nspname NOT IN ('pg_catalog', 'information_schema', 'pgmq') AND l.lanname NOT IN ('internal', 'c')
  AND p.prokind IN ('f', 'p') AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
ORDER BY 5
"""
_SCHEMA = """
SELECT format('%%I', pg_get_userbyid(ns.nspowner)), ARRAY(
           SELECT rolname::text FROM pg_roles
           WHERE rolname = ANY (%(strangers)s) AND has_schema_privilege(oid, ns.oid, 'USAGE') ORDER BY rolname)
FROM pg_namespace AS ns WHERE ns.nspname = 'pgmq'
"""


@dataclass(frozen=True, slots=True)
class OpenFunction:
    """What `roles` may call, and what its `owner` runs to end that."""

    function: str
    roles: tuple[str, ...]
    owner: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    source: str
    as_owner: bool
    kind: str
    signature: str
    owner: str
    open_to: list[str]


def find_open_functions() -> list[OpenFunction]:
    """Those that strangers may call and that lead to the queues, by themselves or through others."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTIONS, {"strangers": list(STRANGERS)})
        functions = [_Function(*row) for row in cursor.fetchall()]
        cursor.execute(_SCHEMA, {"strangers": list(STRANGERS)})
        schemas = cursor.fetchall()
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) ORDER BY rolname", [list(STRANGERS)])
        whom = ", ".join(["PUBLIC", *(name for (name,) in cursor.fetchall())])
    found = [
        OpenFunction("schema pgmq", tuple(roles), owner, f"REVOKE USAGE ON SCHEMA pgmq FROM {whom};")
        for owner, roles in schemas
        if roles
    ]
    leading = _lead_to_pgmq(functions)
    for each in functions:
        # One that runs as its caller does what the caller could do without it.
        if each.open_to and (each.name in KNOWN or (each.as_owner and each.name in leading)):
            remedy = f"REVOKE EXECUTE ON {each.kind} {each.signature} FROM {whom};"
            found.append(OpenFunction(each.signature, tuple(each.open_to), each.owner, remedy))
    return found


def _lead_to_pgmq(functions: Iterable[_Function]) -> set[str]:
    """The names of functions that call pgmq, or one that does."""
    rest = list(functions)
    leading = {each.name for each in rest if PGMQ.search(each.source)}
    news = leading
    while news:
        calls = re.compile(rf'\b({"|".join(map(re.escape, sorted(news)))})"?\s*\(')
        news = {each.name for each in rest if each.name not in leading and calls.search(each.source)}
        leading = leading | news
    return leading
