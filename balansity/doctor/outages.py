"""What an error of Postgres says about the set-up: which of its causes it is, and what mends it."""

from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Text, error
from bridge.errors import AddressRefused
from bridge.postgres import first_line

# By what libpq, Postgres and poolers say: an error of a connection carries no code. The first that fits counts.
_CAUSES: tuple[tuple[str, tuple[str, ...], Text, Text], ...] = (
    (
        "postgres.too_many_connections",
        ("too many connections", "too many clients", "connection slots", "max clients", "no more connections allowed"),
        _("Postgres has no connection left for us: %(said)s"),
        _("Raise the limit (role, max_connections, size of the pool), or run fewer processes and threads."),
    ),
    (
        "postgres.no_such_database",
        ('database "', "no such database"),
        _("Postgres has no such database: %(said)s"),
        _("Check the name at the end of DATABASE_URL; Supabase's is postgres."),
    ),
    (
        "postgres.login_refused",
        ("authentication failed", "pg_hba.conf", 'role "', "user not found", "circuit breaker", "no password supplied"),
        _("Postgres does not let us log in: %(said)s"),
        _("Check user and password in DATABASE_URL; behind Supabase's pooler the user is postgres.<project>."),
    ),
    (
        "postgres.tls",
        ("certificate", "ssl error", "ssl was required", "root.crt"),
        _("TLS to Postgres cannot be had as DATABASE_URL asks for it: %(said)s"),
        _("Check sslmode and sslrootcert in DATABASE_URL (docs/operations.md, TLS)."),
    ),
    (
        "postgres.host_unknown",
        ("could not translate host name", "name or service not known"),
        _("The host of DATABASE_URL is not known to DNS: %(said)s"),
        _("Check the host in DATABASE_URL, and the DNS of this machine."),
    ),
)


def explain_postgres(trouble: DatabaseError | InterfaceError) -> Finding:
    said = first_line(trouble)
    if isinstance(trouble, AddressRefused):
        cause = _("DATABASE_URL leads to a pooler in transaction mode, where no session is ours.")
        return error(
            "postgres.transaction_pooler", cause, _("Use the direct address or the session pooler, both on port 5432.")
        )
    for code, words, known, remedy in _CAUSES:
        if any(word in said.lower() for word in words):
            return error(code, known, remedy, said=said)
    cause = _("Postgres does not answer: %(said)s")
    return error("postgres.unreachable", cause, _("Check host and port in DATABASE_URL, and the way to it."), said=said)
