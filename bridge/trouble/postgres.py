"""What Postgres and the poolers in front of it say when they do not do their part.

A refused connection comes without SQLSTATE, so its words count: those of Postgres, in English and in Russian, of libpq,
of Supabase's pooler and of pgbouncer.
"""

import re

import psycopg2
from django.db import Error as DjangoError
from django.db import InterfaceError, OperationalError

# The one of Django's that asks no settings, which are not read yet where this is needed first.
from django.utils.translation.trans_null import gettext_noop as _

from bridge.errors import AddressRefused
from bridge.trouble.explanation import Explanation, Kind, Rule, chain, one_line, rule

_AWAY = rule(
    "postgres_away",
    Kind.OUTAGE,
    _("Postgres does not answer"),
    _("Start it, or look at host and port in DATABASE_URL; what waits for it goes on by itself"),
)
_SEE_DOCTOR = _("manage.py doctor names the statement that mends it, for the owner to run")
_MIGRATE = _(
    "Run manage.py migrate, which names a missing right as well; if it has nothing to do, DATABASE_URL names another "
    "database than Supabase's"
)

# Of several that fit, the first counts.
_RULES: tuple[Rule, ...] = (
    rule(
        "postgres_login_blocked",
        Kind.MISTAKE,
        _("The pooler in front of Postgres lets nobody in for a while, after too many refused logins"),
        _("Put the right password into DATABASE_URL, restart, and wait some minutes"),
        r"circuit ?breaker",
        r"too many (failed )?(authentication|login)",
    ),
    rule(
        "postgres_password_refused",
        Kind.MISTAKE,
        _("Postgres refuses the user or the password of DATABASE_URL"),
        _("Copy the address once more, with / : @ # ? % in the password as %2F %3A %40 %23 %3F %25, and restart"),
        r"(password|SASL|SCRAM|certificate|peer|ident|PAM|LDAP|GSSAPI|RADIUS|cert) authentication failed",
        r"authentication (failed|error)|wrong password|no password supplied|password is (missing|incorrect)",
        r"не прош\w+ проверку подлинности|SCRAM exchange|server login failed",
        codes=("28P01",),
    ),
    rule(
        "postgres_database_unknown",
        Kind.MISTAKE,
        _("The database that DATABASE_URL names does not exist, or is closed to this role"),
        _("Write its name at the end of the address; Supabase's is postgres"),
        r"database .* does not exist|no such database|permission denied for database|not currently accepting conn",
        r"база данных .* не существует|доступ к базе .* запрещ|нет доступа к базе",
        codes=("3D000",),
    ),
    rule(
        "postgres_role_unknown",
        Kind.MISTAKE,
        _("Postgres does not know the user of DATABASE_URL"),
        _("Through Supabase's pooler the user is postgres.PROJECT, directly it is postgres"),
        r"role .* (does not exist|is not permitted to log in)|tenant or user not found|tenant/user",
        r"no such user|tenant_not_found|роль .* (не существует|не может)|роли .* не разреш",
        codes=("28000",),
    ),
    rule(
        "postgres_address_refused",
        Kind.MISTAKE,
        _("Postgres lets nobody in from this machine with this user, database and encryption"),
        _("Let its operator allow it in pg_hba.conf, or in Supabase's network restrictions"),
        r"pg_hba\.conf|not in tenant allow_list|not allowed to connect",
    ),
    rule(
        "postgres_certificate",
        Kind.MISTAKE,
        _("The certificate of Postgres is not one that DATABASE_URL believes"),
        _("Name the authority's file with sslrootcert, and the host as the certificate does"),
        r"certificate verify failed|server certificate for|root certificate|certificate (file|authority)",
        r"private key file|self.signed certificate|SSL error: .*certificate",
    ),
    rule(
        "postgres_tls_missing",
        Kind.MISTAKE,
        _("Postgres has no TLS, and DATABASE_URL requires it"),
        _(
            "Turn it on there, reach it by a private address, or end DATABASE_URL with ?sslmode=disable, which lets "
            "everybody on the way read customers' data"
        ),
        r"server does not support SSL",
    ),
    rule(
        "postgres_tls_required",
        Kind.MISTAKE,
        _("Postgres wants TLS, and DATABASE_URL turns it off"),
        _("End the address with ?sslmode=require"),
        r"(SSL|TLS) (connection )?is required|SSL required|requires SSL",
    ),
    rule(
        "postgres_option_unknown",
        Kind.MISTAKE,
        _("DATABASE_URL has an option that Postgres or its pooler does not take"),
        _("Take it out, or write it as libpq does"),
        r"invalid (connection option|dsn|URI|port number|integer value|sslmode|channel_binding|\w+ value:)",
        r'invalid "\w+" value:|invalid SSL protocol version range|definition of service|service file|GSSAPI encryption',
        r"unsupported startup parameter|unrecognized configuration parameter|sslmode value|weak sslmode",
    ),
    rule(
        "postgres_other_server",
        Kind.MISTAKE,
        _("What listens at host and port of DATABASE_URL is no Postgres"),
        _("Write the port of Postgres or of its pooler there, which mostly is 5432"),
        r"invalid response to SSL negotiation|expected authentication request from server",
    ),
    rule(
        "postgres_full",
        Kind.OUTAGE,
        _("Postgres or its pooler has no connection left for us"),
        _("Let fewer processes connect (docs/operations.md has the sum), or give the role more"),
        r"too many (connections|clients)|connection slots|max ?clients|maximum number of (clients|connections)",
        r"no more connections allowed|EMAXCONN|query_wait_timeout|connection limit",
        r"слишком много (подключений|клиентов)|слоты подключений",
        codes=("53300",),
    ),
    rule(
        "postgres_starting",
        Kind.OUTAGE,
        _("Postgres starts up, shuts down or is being restored"),
        _("Wait until it has done so"),
        r"database system is|terminating connection|не принимает|система баз данных|the database is paused",
        codes=("57P01", "57P02", "57P03", "57P04", "57P05"),
    ),
    rule(
        "postgres_read_only",
        Kind.OUTAGE,
        _("Postgres takes no writes now: its disk is full, or it is the standby of another"),
        _("Give it room, or let DATABASE_URL name the primary"),
        r"read-only (transaction|mode)|session is (not )?read-only|target_session_attrs",
        codes=("25006",),
    ),
    rule(
        "postgres_disk_full",
        Kind.OUTAGE,
        _("Postgres has no room left"),
        _("Give it room: disk first, then memory"),
        r"no space left|out of memory|could not extend file",
        codes=("53000", "53100", "53200", "53400", "58030"),
    ),
    rule(
        "postgres_busy",
        Kind.OUTAGE,
        _("Somebody else holds what the statement needs, or it took longer than it may"),
        _("Try again; if it stays so, pg_stat_activity shows who holds it"),
        codes=("55P03", "40001", "40P01", "57014"),
    ),
    rule(
        "postgres_host_unknown",
        Kind.OUTAGE,
        _("The host of DATABASE_URL has no address"),
        _("Look at its spelling, and at the DNS of this machine"),
        r"could not translate host name|name or service not known|nodename nor servname|no address associated",
        r"temporary failure in name resolution",
    ),
    rule(
        "right_missing",
        Kind.MISTAKE,
        _("The role of DATABASE_URL lacks a right"),
        _SEE_DOCTOR,
        r"permission denied for (?!database)|row-level security",
        codes=("42501",),
    ),
    rule("schema_missing", Kind.MISTAKE, _("A schema is missing"), _MIGRATE, codes=("3F000",)),
    rule("table_missing", Kind.MISTAKE, _("A table is missing"), _MIGRATE, codes=("42P01",)),
    rule("column_missing", Kind.MISTAKE, _("A column or a function is missing"), _MIGRATE, codes=("42703", "42883")),
)
_OF_CONNECTIONS = (psycopg2.OperationalError, psycopg2.InterfaceError, OperationalError, InterfaceError)
# Lost and refused connections, and whatever else keeps Postgres as a whole from working.
_OUTAGES = ("08", "53", "57", "58")
_PREFIX = re.compile(r"^connection to server (?:at|on socket) .*? failed: *|^(?:FATAL|ERROR|error|ОШИБКА|ВАЖНО): *")


def explain(error: BaseException) -> Explanation | None:
    """What is wrong with Postgres; `None` for an error about something else, or about one statement of ours."""
    for link in chain(error):
        match link:
            case AddressRefused():
                return Explanation("postgres_pooler_mode", Kind.MISTAKE, one_line(str(link)), "")
            # Django's own carries what psycopg2 said.
            case DjangoError() if isinstance(link.__cause__, psycopg2.Error):
                continue
            case psycopg2.Error() | DjangoError():
                return _of_postgres(link)
    return None


def _of_postgres(error: BaseException) -> Explanation | None:
    code, text = getattr(error, "pgcode", None), str(error)
    is_connection = isinstance(error, _OF_CONNECTIONS)
    # An address that libpq cannot read is a `ProgrammingError`.
    if code is None and not (is_connection or isinstance(error, psycopg2.ProgrammingError)):
        return None
    for each in _RULES:
        if code in each.codes or (_is_vague(code) and each.words and each.words.search(text)):
            return each.explain(_words(text, each))
    if is_connection and (code is None or code[:2] in _OUTAGES):
        return _AWAY.explain(_words(text, _AWAY))
    return None


def _is_vague(code: str | None) -> bool:
    """Also of a pooler, which lets a client in and tells with its first statement that it cannot get in itself."""
    return code is None or code[:2] in {"08", "XX"}


def _words(text: str, found: Rule) -> str:
    """The line that the rule fits: with several hosts there is one for each. Without what stands in front of each."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()] or [""]
    line = next((each for each in lines if found.words and found.words.search(each)), lines[0])
    while (shorter := _PREFIX.sub("", line)) != line:
        line = shorter
    return line
