"""What Redis, Valkey and the clients of both say when they do not do their part."""

import ssl

# The one of Django's that asks no settings, which are not read yet where this is needed first.
from django.utils.translation.trans_null import gettext_noop as _
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from bridge.errors import BrokerAway
from bridge.trouble.explanation import Explanation, Kind, Rule, chain, rule

_AWAY = rule(
    "redis_away",
    Kind.OUTAGE,
    _("Redis does not answer"),
    _(
        "Start it, or look at host, port and TLS (redis:// or rediss://) in REDIS_URL; what waits for it goes on by "
        "itself"
    ),
)
_RULES: tuple[Rule, ...] = (
    rule(
        "redis_password_refused",
        Kind.MISTAKE,
        _("Redis refuses the user or the password of REDIS_URL"),
        _("Put the right one there, with / : @ # ? % written as %2F %3A %40 %23 %3F %25, and restart"),
        r"WRONGPASS|invalid (username.password pair|password)|user is disabled|without any password configured",
        r"wrong number of arguments for 'auth' command",
    ),
    rule(
        "redis_password_missing",
        Kind.MISTAKE,
        _("Redis wants a password, and REDIS_URL has none"),
        _("Write redis://:PASSWORD@host:6379/0"),
        r"NOAUTH|authentication required|operation not permitted|must be called with the client already authenticated",
    ),
    rule(
        "redis_right_missing",
        Kind.MISTAKE,
        _("The user of REDIS_URL may not do what Celery and the counters need"),
        _("Give it +@all on all keys and channels (ACL SETUSER NAME ~* &* +@all)"),
        r"NOPERM|no permissions|this user has no permission",
    ),
    rule(
        "redis_database_unknown",
        Kind.MISTAKE,
        _("Redis has no database of the number at the end of REDIS_URL"),
        _("End the address with /0, which every Redis has"),
        r"DB index|invalid db|SELECT is not allowed|unknown command.*select",
    ),
    rule(
        "redis_own_certificate",
        Kind.MISTAKE,
        _("Redis does not take our certificate, or wants one and gets none"),
        _(
            "Name ours with ssl_certfile and ssl_keyfile: not expired, and of an authority that Redis believes "
            "(tls-ca-cert-file)"
        ),
        # What the server says of a client. TLS 1.2 has no word of its own for a client that shows none.
        r"alert.(certificate|bad.certificate|unsupported.certificate|unknown.ca|access.denied|decrypt.error)",
        r"alert.handshake.failure",
    ),
    rule(
        "redis_certificate_files",
        Kind.MISTAKE,
        _("A file of ssl_ca_certs, ssl_certfile or ssl_keyfile in REDIS_URL is not what it should be"),
        _("Name PEM files: certificates of authorities, our certificate, and the key that belongs to it"),
        r"KEY_VALUES_MISMATCH|\bPEM lib\b|NO_CERTIFICATE_OR_CRL_FOUND|BAD_BASE64_DECODE|bad.end.line|no.start.line",
    ),
    rule(
        "redis_certificate",
        Kind.MISTAKE,
        _("The certificate of Redis is not one that REDIS_URL believes"),
        _("Name the authority's file with ssl_ca_certs, and the host as the certificate does"),
        r"certificate|hostname mismatch",
    ),
    rule(
        "redis_hung_up",
        Kind.OUTAGE,
        _("Redis ends the connection before it answers"),
        _("If it does not just restart: it may want a certificate of ours (ssl_certfile and ssl_keyfile in REDIS_URL)"),
        r"EOF occurred in violation of protocol|UNEXPECTED_EOF_WHILE_READING",
    ),
    rule(
        "redis_tls_missing",
        Kind.MISTAKE,
        _("Redis has no TLS at that port, and REDIS_URL begins with rediss://"),
        _("Write redis://, or name the port that has TLS"),
        r"wrong.version.number|record layer failure|unknown protocol|http request",
    ),
    rule(
        "redis_other_server",
        Kind.MISTAKE,
        _("What listens at host and port of REDIS_URL is no Redis"),
        _("Write the port of Redis there, which mostly is 6379"),
        # Told apart from an answer out of turn, as after a connection that broke.
        r"Protocol Error: b?.(HTTP/|220[ -]|SSH-)",
    ),
    rule(
        "redis_protected",
        Kind.MISTAKE,
        _("Redis lets nobody in from another machine, as it has no password"),
        _("Give it one (requirepass), and put it into REDIS_URL"),
        r"DENIED Redis|protected mode",
    ),
    rule(
        "redis_full",
        Kind.OUTAGE,
        _("Redis has no connection left for us"),
        _("Raise its maxclients, or let fewer processes connect"),
        r"max(imum)? number of clients|max clients",
    ),
    rule(
        "redis_starting",
        Kind.OUTAGE,
        _("Redis starts up"),
        _("Wait until it has loaded its data"),
        r"LOADING|is loading",
    ),
    rule(
        "redis_read_only",
        Kind.OUTAGE,
        _("Redis takes no writes now: it is the replica of another, or cannot save to its disk"),
        _("Let REDIS_URL name the primary, or give its disk room"),
        r"READONLY|read only replica|MISCONF|MASTERDOWN|NOREPLICAS",
    ),
    rule(
        "redis_memory",
        Kind.OUTAGE,
        _("Redis has used up the memory that it may have"),
        _("Raise its maxmemory"),
        r"\bOOM\b|used memory",
    ),
    rule(
        "redis_socket_closed",
        Kind.MISTAKE,
        _("This process may not use the socket of REDIS_URL"),
        _("Give its user the right to write to it (unixsocketperm 770, and the group)"),
        r"permission denied|errno 13|error 13",
    ),
    rule(
        "redis_socket_missing",
        Kind.OUTAGE,
        _("There is no socket where REDIS_URL looks for one"),
        _("Start Redis, or name the path of its unixsocket"),
        r"no such file or directory|error 2 connecting",
    ),
    rule(
        "redis_host_unknown",
        Kind.OUTAGE,
        _("The host of REDIS_URL has no address"),
        _("Look at its spelling, and at the DNS of this machine"),
        r"name or service not known|nodename nor servname|temporary failure in name resolution|no address associated",
    ),
)


def explain(error: BaseException) -> Explanation | None:
    """What is wrong with Redis; `None` for an error about something else."""
    links = list(chain(error))
    if not any(isinstance(link, (RedisError, KombuError, BrokerAway)) for link in links):
        return None
    # The innermost knows most: around it are those of kombu, and of ours.
    for link in reversed(links):
        text = f"SSL certificate: {link}" if isinstance(link, ssl.SSLCertVerificationError) else str(link)
        for each in _RULES:
            if each.words and each.words.search(text):
                return each.explain(str(link))
    return _AWAY.explain(str(links[-1]))
