"""What an error of Postgres says about the set-up, in the words of the doctor's readers."""

from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Text, error
from bridge.postgres import first_line
from bridge.trouble.postgres import explain

_LOGIN = (
    "postgres.login_refused",
    _("Postgres does not let us log in: %(said)s"),
    _("Check user and password in DATABASE_URL; behind Supabase's pooler the user is postgres.<project>."),
)
_TLS = (
    "postgres.tls",
    _("TLS to Postgres cannot be had as DATABASE_URL asks for it: %(said)s"),
    _("Check sslmode and sslrootcert in DATABASE_URL (docs/operations.md, TLS)."),
)
# By the code that the trouble has for everybody.
_CAUSES: dict[str, tuple[str, Text, Text]] = {
    "postgres_pooler_mode": (
        "postgres.transaction_pooler",
        _("DATABASE_URL leads to a pooler in transaction mode, where no session is ours."),
        _("Use the direct address or the session pooler, both on port 5432."),
    ),
    "postgres_full": (
        "postgres.too_many_connections",
        _("Postgres has no connection left for us: %(said)s"),
        _("Raise the limit (role, max_connections, size of the pool), or run fewer processes and threads."),
    ),
    "postgres_database_unknown": (
        "postgres.no_such_database",
        _("Postgres has no such database: %(said)s"),
        _("Check the name at the end of DATABASE_URL; Supabase's is postgres."),
    ),
    "postgres_password_refused": _LOGIN,
    "postgres_role_unknown": _LOGIN,
    "postgres_address_refused": _LOGIN,
    "postgres_login_blocked": _LOGIN,
    "postgres_certificate": _TLS,
    "postgres_tls_missing": _TLS,
    "postgres_tls_required": _TLS,
    "postgres_host_unknown": (
        "postgres.host_unknown",
        _("The host of DATABASE_URL is not known to DNS: %(said)s"),
        _("Check the host in DATABASE_URL, and the DNS of this machine."),
    ),
}
_AWAY = (
    "postgres.unreachable",
    _("Postgres does not answer: %(said)s"),
    _("Check host and port in DATABASE_URL, and the way to it."),
)


def explain_postgres(trouble: DatabaseError | InterfaceError) -> Finding:
    found = explain(trouble)
    code, cause, remedy = _CAUSES.get(found.code, _AWAY) if found else _AWAY
    return error(code, cause, remedy, said=found.said if found and found.said else first_line(trouble))
