"""The broker: that it is there, takes what it is given, and keeps it."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from balansity.settings.private_address import is_private_host
from bridge.diagnosis import Finding, error, warning
from bridge.doctor.troubles import explained

SECONDS = 3.0
# BLMOVE, GETEX and the like are of 6.2; whatever is older gets no repairs any more.
OLDEST = (6, 2)
FULL = 0.9


def look_at_broker() -> Iterator[Finding]:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, decode_responses=True
        ) as client:
            client.ping()
            about = client.info()
            yield from _about_server(about)
            yield from _about_keeping(about, _saves(client))
    except (redis.RedisError, OSError, ValueError) as trouble:
        yield _explain(trouble)
    else:
        yield from _about_address()


def _explain(trouble: Exception) -> Finding:
    # A server without TLS waits for the rest of what it takes for a command.
    if isinstance(trouble, redis.TimeoutError) and settings.REDIS_URL.startswith("rediss:"):
        cause = _("Redis has no TLS at that port, and REDIS_URL begins with rediss://")
        return error("broker.tls_missing", cause, _("Write redis://, or name the port that has TLS"))
    told = _in_a_handshake()
    found = explained(told) if told is not None else None
    if found is None or found.code != "broker.own_certificate":
        found = explained(trouble)
    if found is not None:
        return found
    cause = _("Redis does not answer: %(said)s")
    return error("broker.away", cause, _("Check host and port in REDIS_URL, and that it runs."), said=trouble)


def _in_a_handshake() -> redis.ConnectionError | None:
    """What a server says of our certificate. By TLS 1.3 it would hang up later, and mostly without a word."""
    asked: dict[str, Any] = dict(redis.connection.parse_url(settings.REDIS_URL))  # type: ignore[no-untyped-call]
    if asked.get("connection_class") is not redis.SSLConnection:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is said to whoever it is; that its certificate is the right one was looked at before.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        if own := asked.get("ssl_certfile"):
            context.load_cert_chain(own, asked.get("ssl_keyfile"))
        with socket.create_connection((asked["host"], asked["port"]), timeout=SECONDS) as plain:
            context.wrap_socket(plain).close()
    except ssl.SSLError as refusal:
        return redis.ConnectionError(str(refusal))
    except OSError:
        return None
    return None


def _about_address() -> Iterator[Finding]:
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme in ("redis", "rediss") and not parts.password and not is_private_host(parts.hostname or ""):
        cause = _("Redis stands on a public address and asks for no password: everybody may run tasks here.")
        yield error("broker.no_password", cause, _("Set requirepass there and the password in REDIS_URL."))


def _about_server(about: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(about.get("valkey_version") or about.get("redis_version") or "")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        cause = _("Redis is %(version)s, older than 6.2.")
        yield warning("broker.too_old", cause, _("Use Redis 6.2 or newer, or Valkey."), version=version)
    if str(about.get("cluster_enabled")) == "1":
        cause = _("Redis runs as a cluster, which Celery cannot use.")
        yield error("broker.cluster", cause, _("Let REDIS_URL name a single server."))
    if about.get("role") == "slave":
        cause = _("REDIS_URL names a replica, which takes no writes.")
        yield error("broker.replica", cause, _("Let REDIS_URL name the primary."))


def _about_keeping(about: Mapping[str, Any], saves: str | None) -> Iterator[Finding]:
    """Nothing is lost with what is in Redis, but each message that was in line waits for its lease again."""
    policy, most = str(about.get("maxmemory_policy", "")), int(about.get("maxmemory", 0))
    if policy.startswith("allkeys"):
        cause = _("Redis throws away tasks when its memory is full (maxmemory-policy %(policy)s).")
        yield warning("broker.evicts", cause, _("Set maxmemory-policy noeviction."), policy=policy)
    if most and int(about.get("used_memory", 0)) > FULL * most:
        cause = _("Redis has used more than nine tenths of the memory that it may use.")
        yield error("broker.full", cause, _("Raise maxmemory, or look at what fills it."))
    if not int(about.get("aof_enabled", 0)) and saves == "":
        cause = _("Redis keeps nothing on disk, so after its restart what was in line waits for its lease again.")
        yield warning("broker.not_persistent", cause, _("Set appendonly yes."))
    for what in ("aof_last_write_status", "rdb_last_bgsave_status"):
        if str(about.get(what, "ok")) != "ok":
            cause = _("Redis cannot write to its disk (%(what)s) and may refuse what it is given.")
            yield error("broker.cannot_save", cause, _("Look at its log, and make room on its disk."), what=what)
            return


def _saves(client: "redis.Redis") -> str | None:
    """When it writes a snapshot; `None` where it does not tell, as at many hosting companies."""
    with suppress(redis.ResponseError):
        told: Any = client.config_get("save")
        return str(told.get("save", "")) if told else None
    return None
