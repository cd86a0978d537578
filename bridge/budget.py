"""How many connections to Postgres all processes need with the settings as they are, and how many there may be.

A web process opens one when a thread needs it, up to its bound, and closes what nobody used for a while. A worker's
child, and the bridge, keep theirs as long as they live. Beat has none.
"""

import re
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from bridge.postgres import NO_SESSION

# One to work with, one that listens for wake-ups.
OF_A_BRIDGE = 2
# What `manage.py` takes while it runs: a command by hand, `migrate`, the health check of the bridge.
OF_A_COMMAND = 1

# What Postgres, pgbouncer and Supabase's pooler say when no place is left. A refused login carries no SQLSTATE that
# psycopg2 would show, and Postgres speaks the language of its server.
_FULL = re.compile(
    r"too many (clients|connections)|slots are reserved|max clients? (connections )?reached|EMAXCONN|max_client_conn"
    rf"|{NO_SESSION}"
    r"|no more connections allowed|query_wait_timeout|слишком много (подключений|клиентов)|слоты подключений",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of process needs at most. `how` says what it is made of, in words and names of variables."""

    process: str
    connections: int
    how: str


def parts(*, workers: int = 1, bridges: int = 1) -> list[Part]:
    """What each kind of process needs, with so many workers (`celery … worker`) and bridges."""
    each = min(settings.WEB_THREADS, settings.WEB_CONNECTIONS)
    return [
        Part("web", settings.WEB_CONCURRENCY * each, "WEB_CONCURRENCY x the lesser of WEB_THREADS and WEB_CONNECTIONS"),
        Part("worker", workers * settings.WORKER_CONCURRENCY, f"{workers} started x WORKER_CONCURRENCY"),
        Part("bridge", bridges * OF_A_BRIDGE, f"{bridges} started x {OF_A_BRIDGE}"),
        Part("beat", 0, "none"),
        Part("command", OF_A_COMMAND, "a command or a health check at a time"),
    ]


def needed(*, workers: int = 1, bridges: int = 1) -> int:
    """The sum of `parts`."""
    return sum(part.connections for part in parts(workers=workers, bridges=bridges))


@dataclass(frozen=True, slots=True)
class Places:
    """How many sessions `what` allows, how many there are now, and how many of these are ours."""

    allowed: int
    taken: int
    ours: int
    what: str

    @property
    def left_for_us(self) -> int:
        """What others leave for all processes of ours together."""
        return self.allowed - self.taken + self.ours


def places() -> Places:
    """The narrowest limit that Postgres itself sets. A pooler's own limit, 15 at Supabase's least, it does not know."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACES)
        return Places(*cursor.fetchone())


def is_full(error: BaseException) -> bool:
    """Whether a connection was refused because as many are open as there may be."""
    return bool(_FULL.search(str(error)))


def explain_full(*, workers: int = 1) -> str:
    """What to do then, with the sum."""
    sums = ", ".join(f"{part.process} {part.connections}" for part in parts(workers=workers) if part.connections)
    started = f"{workers} worker{'s' if workers > 1 else ''}"
    return (
        f"as many sessions are open in Postgres, or its pooler, as there may be; with {started} ours take up to "
        f"{needed(workers=workers)} ({sums}): lower WEB_CONNECTIONS, WEB_CONCURRENCY or WORKER_CONCURRENCY, "
        "run fewer workers, or raise the limit (docs/operations.md, Connections)"
    )


# pg_stat_activity shows to everybody who is there, if not what they do.
_PLACES = """
WITH clients AS (
    SELECT datid, usesysid, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'
), ours AS (
    SELECT count(*) AS number FROM clients
    WHERE usesysid = session_user::regrole AND datid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND application_name IN (current_setting('application_name'), 'balansity listener')
), limits AS (
    SELECT rolconnlimit AS allowed, format('CONNECTION LIMIT of the role %I', rolname) AS what,
           (SELECT count(*) FROM clients WHERE usesysid = pg_roles.oid) AS taken
    FROM pg_roles WHERE rolname = session_user
    UNION ALL
    SELECT datconnlimit, format('CONNECTION LIMIT of the database %I', datname),
           (SELECT count(*) FROM clients WHERE datid = pg_database.oid)
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0),
           'max_connections of the server', (SELECT count(*) FROM clients)
)
SELECT allowed, taken, (SELECT number FROM ours), what FROM limits
WHERE allowed >= 0 ORDER BY allowed - taken LIMIT 1
"""
