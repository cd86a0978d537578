"""What can be wrong with pgmq and the queues: missing, without a wake-up, left out by backups, open to strangers."""

import re
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, error, info, warning
from bridge.models import KeptOutcome
from bridge.open_functions import find_open_functions
from bridge.queues import registry
from bridge.rights import queue_tables
from bridge.wakeup import TRIGGER, installed_method

# What our statements were tried with.
OLDEST, NEWEST = (1, 4, 4), (1, 13)

_PGMQ = """
SELECT to_regnamespace('pgmq') IS NOT NULL, (SELECT extversion FROM pg_extension WHERE extname = 'pgmq')
"""
_IN_EXTENSION = """
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS ns ON ns.oid = c.relnamespace
JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
WHERE ns.nspname = 'pgmq' AND c.relname = ANY (%s) ORDER BY 1
"""
_EXISTING = """
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS ns ON ns.oid = c.relnamespace
WHERE ns.nspname = 'pgmq' AND c.relname = ANY (%s)
"""
# Whether we could make the trigger ourselves, and what its owner would run otherwise.
_TRIGGER = """
SELECT has_table_privilege(c.oid, 'TRIGGER'), format(
    'GRANT USAGE ON SCHEMA balansity TO %%1$I; CREATE TRIGGER %%2$I AFTER INSERT ON %%3$I.%%4$I '
    'FOR EACH STATEMENT EXECUTE FUNCTION balansity.bridge_notify();',
    pg_get_userbyid(c.relowner), %s, 'pgmq', c.relname)
FROM pg_class AS c JOIN pg_namespace AS ns ON ns.oid = c.relnamespace WHERE ns.nspname = 'pgmq' AND c.relname = %s
"""


def look_at_pgmq() -> Iterator[Finding]:
    """Its version, and whether the queue tables of ours belong to the extension."""
    with connection.cursor() as cursor:
        cursor.execute(_PGMQ)
        exists, version = cursor.fetchone()
        if not exists:
            cause = _("There is no pgmq in this database.")
            yield error(
                "queues.no_pgmq", cause, _("Run as postgres: CREATE EXTENSION pgmq CASCADE; and make the queues.")
            )
            return
        if version:
            yield from _about_version(version)
        tables = [name.removeprefix("pgmq.") for queue in registry for name in queue_tables(queue.name)]
        cursor.execute(_IN_EXTENSION, [tables])
        owned = [name for (name,) in cursor.fetchall()]
    if owned:
        yield warning(
            "queues.in_extension",
            _("Queue tables belong to the extension pgmq, so logical dumps (pg_dump, supabase db dump) lack them."),
            _("Back up as docs/operations.md says, or take them out: %(statements)s"),
            statements=" ".join(f"ALTER EXTENSION pgmq DROP TABLE pgmq.{name};" for name in owned),
        )


def look_at_queues() -> Iterator[Finding]:
    """Those that we handle: there, with a wake-up, and with nothing that could not be written."""
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING, [[f"q_{queue.name}" for queue in registry]])
        existing = {name for (name,) in cursor.fetchall()}
    for queue in registry:
        if f"q_{queue.name}" not in existing:
            cause, remedy = _("The queue %(queue)s does not exist."), _("Run: SELECT pgmq.create('%(queue)s');")
            yield error("queues.missing", cause, remedy, queue=queue.name)
        elif installed_method(queue.name) is None:
            yield _without_wakeup(queue.name)
    for queue_name in KeptOutcome.objects.order_by().values_list("queue", flat=True).distinct():
        cause = _("Outcomes of messages in %(queue)s wait, as Postgres refuses to write them.")
        yield error("queues.kept", cause, _("manage.py queue_status says why."), queue=queue_name)


def look_at_open_functions() -> Iterator[Finding]:
    """For the owner of Supabase to decide, so no fault of the set-up. In a sandbox they are open on purpose."""
    found = [] if settings.SANDBOX else find_open_functions()
    if found:
        yield info(
            "queues.open_functions",
            _("Whoever holds Supabase's public key may read or write messages, by %(functions)s."),
            _("manage.py queue_status has the statements that end that."),
            functions=", ".join(each.function.partition("(")[0] for each in found),
        )


def _about_version(version: str) -> Iterator[Finding]:
    parts = tuple(int(part) for part in re.findall(r"\d+", version))
    if parts < OLDEST:
        remedy = _("Run as postgres: ALTER EXTENSION pgmq UPDATE;")
        cause = _("pgmq is %(version)s, older than 1.4.4, the oldest that works here.")
        yield error("queues.pgmq_too_old", cause, remedy, version=version)
    elif parts[:2] > NEWEST:
        cause = _("pgmq is %(version)s, newer than 1.13, the newest that was tried here.")
        yield info("queues.pgmq_newer", cause, _("Look at queue_status after it was updated."), version=version)


def _without_wakeup(queue: str) -> Finding:
    cause = _("The queue %(queue)s has no wake-up: its messages wait for the next look of the bridge.")
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGER, [TRIGGER, f"q_{queue}"])
        allowed, statement = cursor.fetchone()
    if allowed:
        return warning("queues.no_wakeup", cause, _("Run: manage.py install_wakeup"), queue=queue)
    remedy = _("Our role lacks TRIGGER on it; let its owner run: %(statement)s")
    return warning("queues.no_wakeup", cause, remedy, queue=queue, statement=statement)
