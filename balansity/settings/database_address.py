"""`DATABASE_URL`, read: what people paste for Node's drivers, and whether the way to Postgres must be encrypted."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
import psycopg2
from django.core.exceptions import ImproperlyConfigured
from psycopg2.extensions import make_dsn

from balansity.env import EnvReader
from balansity.postgres.base import HINT, WITHOUT_TLS
from balansity.settings.private_address import is_private_host

# What Node's drivers, Prisma and Supabase's and Vercel's pages put into an address, and libpq does not know.
_FOREIGN = frozenset(
    (
        *("pgbouncer", "pool_mode", "prepare", "connection_limit", "pool_timeout", "socket_timeout", "supa"),
        *("schema", "currentschema", "search_path", "timezone", "statement_cache_size", "uselibpqcompat"),
        *("ssl", "sslaccept", "sslidentity", "sslpassword"),
    )
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
}
_SUPABASE_TRANSACTION_PORT = "6543"


def settings_from_url(env: EnvReader, name: str, *, sandbox: bool) -> dict[str, Any]:
    """Return a `DATABASES` entry for the `postgres://` address in the variable `name`; no address, no entry."""
    url = env.url(name, "", ("postgres", "postgresql"))
    if not url:
        return {}
    try:
        config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except (ImproperlyConfigured, ValueError):
        env.problem(f"{name} cannot be read: it looks like postgres://user:password@host:5432/database")
        return {}
    if str(config.get("HOST", "")).lower().startswith("%2f"):
        # libpq's spelling of a socket. Whoever took the address apart made small letters of it.
        config["HOST"] = unquote(urlsplit(url).netloc.rpartition("@")[2].partition(":")[0])
    given = {str(key): str(value) for key, value in config.get("OPTIONS", {}).items()}
    options = _known_options(env, name, given)
    config[HINT] = _hint(given, str(config.get("PORT") or ""))
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
    for key, value in given.items():
        if key.lower() in _FOREIGN:
            continue
        try:
            make_dsn(**{key: value})
        except psycopg2.Error:
            env.problem(f"{name} has the option {key!r}, which Postgres' own library does not know: take it out")
        else:
            options[key] = value
    asked = {key.lower(): value.lower() for key, value in given.items()}
    mode = asked.get("sslmode") or asked.get("sslaccept") or asked.get("ssl")
    if mode is not None:
        options["sslmode"] = _SSL_WORDS.get(mode, mode)
        if options["sslmode"] not in _SSL_MODES:
            env.problem(f"{name} has sslmode={mode!r}, which must be one of {', '.join(_SSL_MODES)}")
    return options


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
