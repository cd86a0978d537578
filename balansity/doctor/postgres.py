"""Postgres as such: the session, its clock, migrations, and whether its connections suffice."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext_lazy as _

from balansity.postgres.base import WITHOUT_TLS
from bridge.budget import needed, places
from bridge.diagnosis import Finding, clock_findings, error, info, warning

_SESSION = "SELECT clock_timestamp(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
_SUPABASE_POOLER = ".pooler.supabase.com"


def look_at_session() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
        now, read_only = cursor.fetchone()
    if isinstance(now, datetime):
        yield from clock_findings("Postgres", now)
    if read_only:
        cause = _("Postgres takes no writes: it is a copy, or its disk is full.")
        yield error("postgres.read_only", cause, _("Let DATABASE_URL name the primary, or make room there."))
    if connection.settings_dict.get(WITHOUT_TLS) and not connection.connection.info.ssl_in_use:
        yield warning(
            "postgres.without_tls",
            _("The way to Postgres has no TLS, so whoever listens on it reads customers' data."),
            _("Turn it on there, or end DATABASE_URL with ?sslmode=disable to say that the network is private."),
        )


def look_at_migrations() -> Iterator[Finding]:
    """Also where the table of migrations is not there at all: then all of them are missing."""
    applied = MigrationRecorder(connection).applied_migrations()
    missing = sorted(f"{app}.{name}" for app, name in migrations_of_code() - applied.keys())
    if missing:
        cause = _("%(count)s migrations are not applied: %(names)s.")
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        yield error("schema.migrations", cause, _("Run: manage.py migrate"), count=len(missing), names=names)


@cache
def migrations_of_code() -> frozenset[tuple[str, str]]:
    """Files do not change under a process, and to read them all takes a tenth of a second."""
    return frozenset(MigrationLoader(None).disk_migrations)


def look_at_connections() -> Iterator[Finding]:
    """Places that are fewer than all processes need, or that others have taken. What a pooler has, it tells nobody."""
    wanted, found = needed(), places()
    remedy = _(
        "Raise it, or lower WEB_CONNECTIONS, WEB_CONCURRENCY or WORKER_CONCURRENCY (docs/operations.md, Connections)."
    )
    if found.allowed < wanted:
        cause = _("Postgres allows %(allowed)s connections (%(what)s); one process of each kind needs %(needed)s.")
        yield warning("postgres.few_connections", cause, remedy, allowed=found.allowed, what=found.what, needed=wanted)
    elif found.left_for_us < wanted:
        cause = _("Others hold so many connections to Postgres that %(left)s are left (%(what)s); we need %(needed)s.")
        values = {"left": found.left_for_us, "what": found.what, "needed": wanted}
        yield warning("postgres.connections_taken", cause, remedy, **values)
    if _SUPABASE_POOLER in str(connection.settings_dict.get("HOST", "")):
        cause = _(
            "Supabase's session pooler has 15 places on the smallest plan; one process of each kind needs %(needed)s."
        )
        remedy = _("Look at “Pool Size” in Supabase's settings of the database.")
        yield info("postgres.pool_size", cause, remedy, needed=wanted)
