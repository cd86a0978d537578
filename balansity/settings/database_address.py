"""`DATABASE_URL`, read: what people paste for Node's drivers, and whether the way to Postgres must be encrypted."""

import os
import re
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from balansity.env import EnvReader
from balansity.postgres.base import HINT, WITHOUT_TLS
from balansity.settings.postgres_url import Unusable, read_postgres_url
from balansity.settings.private_address import is_private_host

# What Node's drivers, Prisma, JDBC, SQLAlchemy, Django's own readers and Supabase's and Vercel's pages put into an
# address, and libpq does not know, or that are none of a caller's business here: the encoding, and how long a statement
# may take, is ours.
_FOREIGN = frozenset(
    (
        *("pgbouncer", "pool_mode", "prepare", "preparethreshold", "statement_cache_size", "workaround", "supa"),
        *("prepared_statement_cache_size", "prepared_statements", "binary_parameters"),
        *("connection_limit", "pool", "pool_size", "max", "min", "max_conns", "max_overflow", "max_client_connections"),
        *("pool_timeout", "pool_max_conns", "poolmaxconns", "socket_timeout", "sockettimeout", "idle_timeout"),
        *("idletimeoutmillis", "connectiontimeoutmillis", "max_lifetime", "query_timeout", "statement_timeout"),
        *("lock_timeout", "idle_in_transaction_session_timeout", "logintimeout", "tcpkeepalive", "keepalive"),
        *("schema", "currentschema", "search_path", "timezone", "encoding", "client_encoding", "charset"),
        *("directconnection", "targetservertype", "rewritebatchedinserts", "stringtype", "multisubnetfailover"),
        *("uselibpqcompat", "ssl", "sslaccept", "sslidentity", "sslpassword", "sslfactory"),
        *("conn_max_age", "conn_health_checks", "atomic_requests", "autocommit", "disable_server_side_cursors"),
    )
)
# The same under another name.
_NAMED_OTHERWISE = {"applicationname": "application_name", "connecttimeout": "connect_timeout"}
# With Prisma it is the authority's certificate, and with libpq our own.
_PRISMA = ("sslaccept", "sslidentity")
_FILES = frozenset(("sslrootcert", "sslcert", "sslkey", "sslcrl"))
_NUMBERS = frozenset(
    ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
)
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Certificates that nobody vouches for are fine with these, which libpq calls `require`.
_SSL_WORDS = {"no-verify": "require", "true": "require", "1": "require", "false": "disable", "0": "disable"}
_SSL_WORDS |= {"accept_invalid_certs": "require", "strict": "require"}
# Each of them is what somebody writes who uses a pooler in transaction mode.
_HINTS = {
    "pgbouncer": ("true", "1"),
    "pool_mode": ("transaction", "statement"),
    "prepare": ("false", "0"),
    "statement_cache_size": ("0",),
    "preparethreshold": ("0",),
}
_SUPABASE_TRANSACTION_PORT = "6543"


def settings_from_url(env: EnvReader, name: str, *, sandbox: bool) -> dict[str, Any]:
    """Return a `DATABASES` entry for the `postgres://` address in the variable `name`; no address, no entry."""
    raw = env.text(name)
    if not raw:
        return {}
    try:
        url = read_postgres_url(raw)
    except Unusable as problem:
        env.problem(f"{name} {problem}")
        return {}
    config: dict[str, Any] = {"NAME": url.dbname, "USER": url.user, "PASSWORD": url.password}
    config |= {"HOST": url.host, "PORT": url.port}
    options = _known_options(env, name, url.options)
    config[HINT] = _hint(url.options, url.port)
    config[WITHOUT_TLS] = "" if sandbox else _decide_tls(name, config, options)
    options.setdefault("connect_timeout", 10)
    options.setdefault("application_name", "balansity")
    # A peer that vanished without a word is noticed within a minute and not after two hours.
    options.update(keepalives=1, keepalives_idle=30, keepalives_interval=10, keepalives_count=3)
    # No keepalive is sent while a statement is unacknowledged; without this the kernel would repeat it for 15 minutes.
    options.setdefault("tcp_user_timeout", 60_000)
    # A worker keeps its connection; who notices that it broke replaces it (bridge.worker.task, CONN_HEALTH_CHECKS).
    config.update(ENGINE="balansity.postgres", OPTIONS=options, CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=True)
    return config


def _known_options(env: EnvReader, name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """What libpq is to be told. Of several ways to ask for TLS, libpq's own counts."""
    options: dict[str, Any] = {}
    is_prisma = any(key.lower() in _PRISMA for key in given)
    for key, value in given.items():
        if key.lower() in _FOREIGN or not value:
            continue
        option = _NAMED_OTHERWISE.get(key.lower(), key.lower())
        if is_prisma and option == "sslcert":
            option = "sslrootcert"
        try:
            make_dsn(**{option: value})
        except psycopg2.Error:
            env.problem(f"{name} has the option {key!r}, which Postgres' own library does not know: take it out")
        else:
            options[option] = value
    _check_values(env, name, options)
    asked = {key.lower(): value.lower() for key, value in given.items()}
    mode = asked.get("sslmode") or asked.get("sslaccept") or asked.get("ssl")
    if mode:
        options["sslmode"] = _SSL_WORDS.get(mode, mode)
        if options["sslmode"] not in _SSL_MODES:
            env.problem(f"{name} has sslmode={mode!r}, which must be one of {', '.join(_SSL_MODES)}")
    return options


def _check_values(env: EnvReader, name: str, options: Mapping[str, str]) -> None:
    for option in options.keys() & _NUMBERS:
        if not re.fullmatch(r"[0-9]{1,9}", options[option]):
            env.problem(f"{name}: {option} must be a whole number")
    for option in options.keys() & _FILES:
        # `sslrootcert=system` are the authorities that this machine believes.
        if options[option] != "system" and not os.access(options[option], os.R_OK):
            env.problem(f"{name}: the file of {option} cannot be read by the user of this process")


def _hint(given: Mapping[str, str], port: str) -> str:
    for key, value in given.items():
        if value.lower() in _HINTS.get(key.lower(), ()):
            return f"{key}={value}"
    return f"port {port}" if port == _SUPABASE_TRANSACTION_PORT else ""


def _decide_tls(name: str, config: Mapping[str, Any], options: dict[str, Any]) -> str:
    """Set `sslmode` where nothing says it, and return what to warn of when the connection has no TLS."""
    # libpq connects to `hostaddr` whatever the host's name is, and takes both from variables of its own.
    hosts = [config.get("HOST") or options.get("host") or os.environ.get("PGHOST", "")]
    hosts.append(options.get("hostaddr") or os.environ.get("PGHOSTADDR", ""))
    each = [host for value in hosts for host in str(value).split(",")]
    said = options.get("sslmode") or os.environ.get("PGSSLMODE")
    if all(is_private_host(host) for host in each):
        if said or all(host == "" or host[0] in "/@" for host in each):
            return ""
        options["sslmode"] = "prefer"
        return (
            f"the way to Postgres has no TLS, so everybody in that network can read customers' data: turn it on there, "
            f"or end {name} with ?sslmode=disable to say that it is meant"
        )
    if said:
        return f"the way to Postgres leads through the internet and has no TLS, as sslmode={said} allows in {name}"
    options["sslmode"] = "require"
    return ""
