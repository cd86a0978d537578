"""Postgres as such: the session, its clock, migrations, and whether its connections suffice."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils.translation import gettext_lazy as _

from balansity.postgres.base import WITHOUT_TLS
from bridge.diagnosis import Finding, clock_findings, error, info, warning

_SESSION = "SELECT clock_timestamp(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
# -1 is no limit.
_LIMITS = """
SELECT (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
_SUPABASE_POOLER = ".pooler.supabase.com"
# As gunicorn.conf.py and the documented command of a worker have it.
_THREADS, _CHILDREN, _BRIDGE, _FOR_A_MOMENT = 4, 2, 2, 1


def connections_needed() -> int:
    """What web, one worker, bridge and beat hold at most, and one for whoever starts, asks or migrates."""
    return int(settings.WEB_CONCURRENCY) * _THREADS + _CHILDREN + _BRIDGE + _FOR_A_MOMENT


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
    loader = MigrationLoader(connection)
    missing = sorted(f"{app}.{name}" for app, name in set(loader.disk_migrations) - set(loader.applied_migrations))
    if missing:
        cause = _("%(count)s migrations are not applied: %(names)s.")
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        yield error("schema.migrations", cause, _("Run: manage.py migrate"), count=len(missing), names=names)


def look_at_connections() -> Iterator[Finding]:
    """A limit that is lower than the sum, and places that others have taken. What a pooler allows, it tells nobody."""
    needed = connections_needed()
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS)
        of_role, of_database, of_server, used = cursor.fetchone()
    limits = {"role": of_role, "database": of_database, "server": of_server}
    known = {name: limit for name, limit in limits.items() if limit is not None and limit >= 0}
    name, least = min(known.items(), key=lambda item: int(item[1]))
    remedy = _("Raise it, or lower WEB_CONCURRENCY; each further worker needs as many as it has children (-c).")
    if least < needed:
        cause = _("The limit of the %(name)s is %(least)s connections; one of each process needs %(needed)s.")
        yield warning("postgres.few_connections", cause, remedy, name=name, least=least, needed=needed)
    elif of_server - used < 3:
        cause = _("%(used)s of %(least)s connections to Postgres are taken, so the next processes get none.")
        yield warning("postgres.connections_taken", cause, remedy, used=used, least=of_server)
    if _SUPABASE_POOLER in str(connection.settings_dict.get("HOST", "")):
        cause = _("Supabase's session pooler has 15 places on the smallest plan; one of each process needs %(needed)s.")
        remedy = _("Look at “Pool Size” in Supabase's settings of the database.")
        yield info("postgres.pool_size", cause, remedy, needed=needed)
