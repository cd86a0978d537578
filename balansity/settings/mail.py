"""How mail leaves: the provider, its address and credentials, from the variables of the contract to Django's names."""

import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from balansity.env import EnvReader

IMPLICIT_TLS_PORT = 465
SUBMISSION_PORT = 587

BACKENDS = {
    "smtp": "notifications.sending.smtp.SmtpBackend",
    "resend": "notifications.sending.resend.IdempotentResendBackend",
    "sendgrid": "anymail.backends.sendgrid.EmailBackend",
    "unisender_go": "anymail.backends.unisender_go.EmailBackend",
    "console": "django.core.mail.backends.console.EmailBackend",
}


def mail_settings(env: EnvReader, *, sandbox: bool) -> dict[str, Any]:
    """Return Django's mail settings and ours (`EMAIL_PROVIDER`); problems are left with `env`.

    `SMTP_SECURITY` is `auto` (465 means TLS from the first byte, anything else STARTTLS; in the sandbox only 587),
    `starttls`, `tls` or `none`. The console is no way for mail in production, so it is refused there.
    """
    provider = env.choice("EMAIL_PROVIDER", "smtp", tuple(BACKENDS))
    if provider == "console" and not sandbox:
        env.problem(
            "EMAIL_PROVIDER=console sends nothing and is for the sandbox: choose smtp, resend, sendgrid or unisender_go"
        )
    timeout = env.integer("EMAIL_TIMEOUT", 20, least=1, most=300)
    sender = _sender(env, sandbox=sandbox)
    return {
        "SMTP_HELO_NAME": _hello_name(env, sender),
        "EMAIL_EXTRA_RECIPIENTS": _extra_recipients(env),
        "EMAIL_HOURLY_LIMIT": env.integer("EMAIL_HOURLY_LIMIT", 20, least=1, most=1_000_000),
        "EMAIL_PROVIDER": provider,
        "EMAIL_BACKEND": BACKENDS[provider],
        "EMAIL_TIMEOUT": timeout,
        "DEFAULT_FROM_EMAIL": sender,
        "SERVER_EMAIL": sender,
        # Times are sent in UTC: the recipient's mail client knows its own zone.
        "EMAIL_USE_LOCALTIME": False,
        **_smtp(env, required=provider == "smtp" and not sandbox, sandbox=sandbox),
        "EMAIL_LINK_HOSTS": _link_hosts(env, sandbox=sandbox),
        "ANYMAIL": {"REQUESTS_TIMEOUT": (min(timeout, 10), timeout), **_api(env, provider)},
    }


def _sender(env: EnvReader, *, sandbox: bool) -> str:
    why = "put the address there that mail is sent from, like noreply@example.org"
    address = env.text("SMTP_FROM", "noreply@balansity.test") if sandbox else env.required("SMTP_FROM", why)
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError:
        env.problem("SMTP_FROM must be a bare mail address like noreply@example.org; the name goes into SMTP_FROM_NAME")
        return ""
    name = env.text("SMTP_FROM_NAME", "Balansity")
    if not name.isprintable():
        env.problem("SMTP_FROM_NAME must be one line of text")
        return address
    return str(Address(display_name=name, addr_spec=address))


def _hello_name(env: EnvReader, sender: str) -> str:
    """The full host name for EHLO: `SMTP_HELO_NAME`, or the host of `API_BASE_URL`, or the domain of the sender."""
    named = env.text("SMTP_HELO_NAME")
    if named:
        if not _is_full_name(_ascii(named)):
            env.problem("SMTP_HELO_NAME must be the full name of a host, like mail.example.org")
        return _ascii(named)
    host = _ascii(urlsplit(env.text("API_BASE_URL")).hostname or "")
    return host if _is_full_name(host) else _ascii(parseaddr(sender)[1].rpartition("@")[2]) or "localhost.localdomain"


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _is_full_name(host: str) -> bool:
    return re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]*[a-z0-9]", host) is not None


def _extra_recipients(env: EnvReader) -> tuple[str, ...]:
    """Addresses, and domains, that get mails although no customer of ours has them; the rest of the world gets none."""
    named = env.words("EMAIL_EXTRA_RECIPIENTS")
    for name in named:
        if not _is_full_name(_ascii(name.rpartition("@")[2])):
            env.problem(f"EMAIL_EXTRA_RECIPIENTS must be addresses or domains, like me@example.org, not {name!r}")
    return named


def _link_hosts(env: EnvReader, *, sandbox: bool) -> tuple[str, ...]:
    """Hosts that a link in a mail may lead to besides our own pages; `*` is any, and the default of the sandbox only.

    Whoever holds the public key can enqueue a mail: our name must not stand above a stranger's link.
    """
    storage = urlsplit(env.url("SUPABASE_URL", "", ("https", "http"))).hostname
    default = ("*",) if sandbox else (storage,) if storage else ()
    hosts = env.words("EMAIL_LINK_HOSTS", default)
    for host in hosts:
        if not re.fullmatch(r"\*|[^\W_]([\w.-]*\w)?", host):
            env.problem(f"EMAIL_LINK_HOSTS must be names of hosts, like files.example.org, not {host!r}")
    return tuple(host.lower() for host in hosts)


def _smtp(env: EnvReader, *, required: bool, sandbox: bool) -> dict[str, Any]:
    host = env.text("SMTP_HOST")
    if required and not host:
        env.problem("SMTP_HOST is not set: put the name of the mail server there, or choose another EMAIL_PROVIDER")
    port = env.integer("SMTP_PORT", SUBMISSION_PORT, least=1, most=65535)
    user, password = env.text("SMTP_USER"), env.verbatim("SMTP_PASS")
    if bool(user) != bool(password):
        missing = "SMTP_PASS" if user else "SMTP_USER"
        env.problem(f"{missing} is not set: a mail server wants both a user and a password, or neither")
    security = env.choice("SMTP_SECURITY", "auto", ("auto", "starttls", "tls", "none"))
    if security == "auto":
        security = _usual_security(port, sandbox=sandbox)
    return {
        "EMAIL_HOST": host or "127.0.0.1",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": user,
        "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_TLS": security == "starttls",
        "EMAIL_USE_SSL": security == "tls",
    }


def _usual_security(port: int, *, sandbox: bool) -> str:
    if port == IMPLICIT_TLS_PORT:
        return "tls"
    return "none" if sandbox and port != SUBMISSION_PORT else "starttls"


def _api(env: EnvReader, provider: str) -> dict[str, str]:
    match provider:
        case "resend":
            return {
                "RESEND_API_KEY": env.required("RESEND_API_KEY", "EMAIL_PROVIDER=resend needs the key of your account")
            }
        case "sendgrid":
            key = env.required("SENDGRID_API_KEY", "EMAIL_PROVIDER=sendgrid needs the key of your account")
            return {"SENDGRID_API_KEY": key}
        case "unisender_go":
            why = "EMAIL_PROVIDER=unisender_go needs the key of your account"
            # The address depends on where the account lives, so there is no default that would be right.
            where = "EMAIL_PROVIDER=unisender_go needs your account's address, like https://go1.unisender.ru/ru/transactional/api/v1"
            url = env.required("UNISENDER_GO_API_URL", where)
            return {
                "UNISENDER_GO_API_KEY": env.required("UNISENDER_GO_API_KEY", why),
                "UNISENDER_GO_API_URL": env.url("UNISENDER_GO_API_URL", url, ("https", "http")),
            }
        case _:
            return {}
