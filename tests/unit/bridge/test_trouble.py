"""What services say when they do not do their part, as they say it, and what becomes of it for a person."""

import ssl

import psycopg2
import pytest
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, ProgrammingError
from kombu.exceptions import OperationalError as BrokerError
from redis import exceptions as errors

from balansity.postgres.shared_session import SharedSession
from bridge.errors import BrokerAway, InvalidMessage
from bridge.pgmq import QueueMissing
from bridge.rights import RowsHidden
from bridge.trouble.explain import explain, is_mistake
from bridge.trouble.explanation import EXIT_CODE

# What passes by itself. Everything else stays until a person changes something.
OWN = "redis_own_certificate"
OUTAGES = {
    *("postgres_full", "postgres_starting", "postgres_host_unknown", "postgres_away"),
    *(
        "redis_socket_missing",
        "redis_full",
        "redis_hung_up",
        "redis_starting",
        "redis_read_only",
        "redis_memory",
        "redis_host_unknown",
        "redis_away",
    ),
}
AT = 'connection to server at "203.0.113.7", port 5432 failed: '
NOBODY_THERE = f"{AT}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n"


def refused(text: str) -> OperationalError:
    """A refused connection as Django tells it: psycopg2 has no SQLSTATE for it."""
    error = OperationalError(text)
    error.__cause__ = psycopg2.OperationalError(text)
    return error


def answered(code: str, kind: type[Exception], cause: type[Exception], text: str) -> Exception:
    """A statement's error as Django tells it."""
    error = kind(text)
    error.__cause__ = type("Coded", (cause,), {"pgcode": code})(text)
    return error


def broker(cause: Exception) -> BrokerAway:
    """As the publisher tells it, of what kombu made of redis-py's."""
    middle = BrokerError(str(cause))
    middle.__cause__ = cause
    error = BrokerAway(f"OperationalError: {cause}")
    error.__cause__ = middle
    return error


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f'{AT}FATAL:  password authentication failed for user "u"\n', "postgres_password_refused"),
        (f"{AT}fe_sendauth: no password supplied\n", "postgres_password_refused"),
        (f"{AT}FATAL:  SASL authentication failed\n", "postgres_password_refused"),
        (f'{AT}FATAL:  Peer authentication failed for user "u"\n', "postgres_password_refused"),
        (f'{AT}ВАЖНО:  пользователь "u" не прошёл проверку подлинности (по паролю)\n', "postgres_password_refused"),
        (f"{AT}FATAL:  Tenant or user not found\n", "postgres_role_unknown"),
        (f"{AT}FATAL:  (ENOTFOUND) tenant/user postgres.abc not found\n", "postgres_role_unknown"),
        (f'{AT}FATAL:  role "u" does not exist\n', "postgres_role_unknown"),
        (f'{AT}FATAL:  database "x" does not exist\n', "postgres_database_unknown"),
        (f"{AT}FATAL:  no such database: x\n", "postgres_database_unknown"),
        (f'{AT}ВАЖНО:  база данных "x" не существует\n', "postgres_database_unknown"),
        (
            f'{AT}FATAL:  no pg_hba.conf entry for host "198.51.100.1", user "u", database "x", no encryption\n',
            "postgres_address_refused",
        ),
        (f"{AT}FATAL:  Address not in tenant allow_list: {{198, 51, 100, 1}}\n", "postgres_address_refused"),
        (f"{AT}server does not support SSL, but SSL was required\n", "postgres_tls_missing"),
        (f"{AT}FATAL:  SSL connection is required\n", "postgres_tls_required"),
        # An HTTP server, a mail server, Redis.
        (f"{AT}received invalid response to SSL negotiation: H\n", "postgres_other_server"),
        (f"{AT}received invalid response to SSL negotiation: -\n", "postgres_other_server"),
        (f"{AT}expected authentication request from server, but received 2\n", "postgres_other_server"),
        ('invalid "ssl_min_protocol_version" value: "9"\n', "postgres_option_unknown"),
        ("invalid SSL protocol version range\n", "postgres_option_unknown"),
        ('definition of service "nope" not found\n', "postgres_option_unknown"),
        ("GSSAPI encryption required but no credential cache\n", "postgres_option_unknown"),
        (f"{AT}SSL error: certificate verify failed\n", "postgres_certificate"),
        (f'{AT}server certificate for "*.pooler.supabase.com" does not match host name "db"\n', "postgres_certificate"),
        (f'{AT}root certificate file "/x.crt" does not exist\n', "postgres_certificate"),
        (f"{AT}FATAL:  unsupported startup parameter: search_path\n", "postgres_option_unknown"),
        ('invalid sslmode value: "bad"\n', "postgres_option_unknown"),
        ('invalid port number: "99999"\n', "postgres_option_unknown"),
        (
            f"{AT}FATAL:  (ECIRCUITBREAKER) too many authentication failures, new connections are blocked\n",
            "postgres_login_blocked",
        ),
        (f"{AT}FATAL:  MaxClientsInSessionMode: max clients reached\n", "postgres_full"),
        (f"{AT}FATAL:  (EMAXCONNSESSION) max clients reached in session mode\n", "postgres_full"),
        (f'{AT}FATAL:  too many connections for role "u"\n', "postgres_full"),
        (f"{AT}FATAL:  sorry, too many clients already\n", "postgres_full"),
        (f"{AT}FATAL:  remaining connection slots are reserved for superusers\n", "postgres_full"),
        (f"{AT}FATAL:  the database system is starting up\n", "postgres_starting"),
        ('could not translate host name "db.x" to address: Name or service not known\n', "postgres_host_unknown"),
        (NOBODY_THERE, "postgres_away"),
        ("server closed the connection unexpectedly", "postgres_away"),
        # Of several hosts the one that answered says more.
        (f'{NOBODY_THERE}{AT}FATAL:  database "x" does not exist\n', "postgres_database_unknown"),
    ],
)
def test_a_refused_connection_is_known_by_its_words(text: str, code: str) -> None:
    found = explain(refused(text))
    assert found is not None
    assert (found.code, found.exit_code) == (code, EXIT_CODE)
    assert "\n" not in str(found)
    assert is_mistake(refused(text)) == (code not in OUTAGES)


def test_the_words_that_fit_are_told_without_what_stands_in_front_of_them() -> None:
    found = explain(refused(f'{NOBODY_THERE}{AT}FATAL:  database "x" does not exist\n'))
    assert found is not None
    assert '(database "x" does not exist). Write its name at the end' in str(found)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            answered("42501", ProgrammingError, psycopg2.ProgrammingError, "denied for table meta"),
            "right_missing",
        ),
        (
            answered("42P01", ProgrammingError, psycopg2.ProgrammingError, 'relation "x" does not exist'),
            "table_missing",
        ),
        (answered("3F000", ProgrammingError, psycopg2.ProgrammingError, "schema x does not exist"), "schema_missing"),
        (answered("42883", ProgrammingError, psycopg2.ProgrammingError, "function x() does not"), "column_missing"),
        (answered("25006", InternalError, psycopg2.InternalError, "in a read-only transaction"), "postgres_read_only"),
        (answered("57P01", OperationalError, psycopg2.OperationalError, "terminating"), "postgres_starting"),
        (answered("53100", OperationalError, psycopg2.OperationalError, "no space"), "postgres_disk_full"),
        (answered("55P03", OperationalError, psycopg2.OperationalError, "lock timeout"), "postgres_busy"),
        (answered("08006", OperationalError, psycopg2.OperationalError, "lost"), "postgres_away"),
        # pgbouncer lets a client in and says with its first statement that its own login failed.
        (
            answered("08P01", OperationalError, psycopg2.OperationalError, "server login failed: FATAL password"),
            "postgres_password_refused",
        ),
        (InterfaceError("connection already closed"), "postgres_away"),
        (SharedSession("two clients found themselves in one session"), "postgres_pooler_mode"),
        (psycopg2.ProgrammingError('invalid dsn: invalid URI query parameter: "ssl"'), "postgres_option_unknown"),
        (QueueMissing("there is no queue x"), "queue_missing"),
        (RowsHidden("public.users: row security may hide rows"), "rows_hidden"),
    ],
)
def test_an_answer_is_known_by_its_code(error: Exception, code: str) -> None:
    found = explain(error)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    "error",
    [
        answered("23505", IntegrityError, psycopg2.IntegrityError, "duplicate key"),
        answered("P0001", InternalError, psycopg2.InternalError, "a trigger: password authentication failed"),
        answered("42601", ProgrammingError, psycopg2.ProgrammingError, "syntax error"),
        ProgrammingError("no results to fetch"),
        InvalidMessage("to is missing"),
        ConnectionRefusedError("of whom nobody knows"),
        ValueError("WRONGPASS"),
    ],
)
def test_what_is_nobody_elses_fault_stays_unexplained(error: Exception) -> None:
    assert explain(error) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AuthenticationError("invalid username-password pair"), "redis_password_refused"),
        (
            errors.AuthenticationError("AUTH <password> called without any password configured"),
            "redis_password_refused",
        ),
        (errors.AuthenticationError("Authentication required."), "redis_password_missing"),
        (
            errors.AuthenticationError("HELLO must be called with the client already authenticated"),
            "redis_password_missing",
        ),
        (errors.NoPermissionError("this user has no permissions to run the 'brpop' command"), "redis_right_missing"),
        (errors.ResponseError("DB index is out of range"), "redis_database_unknown"),
        (errors.ResponseError("SELECT is not allowed in cluster mode"), "redis_database_unknown"),
        (errors.ConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "redis_certificate"),
        (ssl.SSLCertVerificationError(1, "unable to get local issuer"), "redis_certificate"),
        # What a server that asks for certificates says of ours: of TLS 1.3, of 1.2, and of one that hangs up.
        (errors.ConnectionError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"), OWN),
        (errors.ConnectionError("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)"), OWN),
        (errors.ConnectionError("(1, '[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired"), OWN),
        (errors.ConnectionError("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure"), OWN),
        (errors.ConnectionError("Error 8 while writing. EOF occurred in violation of protocol"), "redis_hung_up"),
        (errors.ConnectionError("[X509: KEY_VALUES_MISMATCH] key values mismatch"), "redis_certificate_files"),
        (errors.ConnectionError("Error 524297 connecting. [SSL] PEM lib (_ssl.c:3905)."), "redis_certificate_files"),
        (errors.ConnectionError("[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate"), "redis_certificate_files"),
        (errors.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "redis_tls_missing"),
        (errors.InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad Request'"), "redis_other_server"),
        (errors.InvalidResponse("Protocol Error: b'220 mail.example.org ESMTP'"), "redis_other_server"),
        (errors.InvalidResponse("Protocol Error: b'SSH-2.0-OpenSSH_9.2'"), "redis_other_server"),
        # An answer out of turn on a connection that broke.
        (errors.InvalidResponse("Protocol Error: b'OK'"), "redis_away"),
        (errors.ConnectionError("DENIED Redis is running in protected mode"), "redis_protected"),
        (
            errors.ConnectionError("Error 13 connecting to unix socket: /run/r.sock. Permission denied."),
            "redis_socket_closed",
        ),
        (
            errors.ConnectionError("Error 2 connecting to /run/r.sock. No such file or directory."),
            "redis_socket_missing",
        ),
        (errors.MaxConnectionsError("max number of clients reached"), "redis_full"),
        (errors.BusyLoadingError("Redis is loading the dataset in memory"), "redis_starting"),
        (errors.ReadOnlyError("You can't write against a read only replica."), "redis_read_only"),
        (errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "redis_read_only"),
        (errors.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "redis_memory"),
        (errors.ConnectionError("Error -2 connecting to h:6379. Name or service not known."), "redis_host_unknown"),
        (errors.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), "redis_away"),
        (errors.TimeoutError("Timeout connecting to server"), "redis_away"),
    ],
)
def test_redis_is_understood_whoever_tells_it(error: Exception, code: str) -> None:
    told = [broker(error)] if isinstance(error, OSError) else [error, broker(error)]
    for each in told:
        found = explain(each)
        assert found is not None
        assert found.code == code
        assert found.is_mistake == (code not in OUTAGES)
        assert "\n" not in str(found)
