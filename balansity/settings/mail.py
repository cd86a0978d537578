"""How mail leaves: the provider, its address and credentials, from the variables of the contract to Django's names."""

import re
from email.headerregistry import Address
from email.utils import parseaddr

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from balansity.env import EnvReader
from balansity.settings.addresses import API_BASE_URL
from balansity.settings.environment import SANDBOX, env
from balansity.settings.supabase import SUPABASE_URL
from wording.contact import read_contact
from wording.web_address import NotAnAddress, WebAddress, one_host

_IMPLICIT_TLS_PORT = 465
_SUBMISSION_PORT = 587
_BACKENDS = {
    "smtp": "notifications.sending.smtp.SmtpBackend",
    "resend": "notifications.sending.resend.IdempotentResendBackend",
    "sendgrid": "anymail.backends.sendgrid.EmailBackend",
    "unisender_go": "anymail.backends.unisender_go.EmailBackend",
    "console": "django.core.mail.backends.console.EmailBackend",
}


def _sender() -> str:
    why = "put the address there that mail is sent from, like noreply@example.org"
    address = env.text("SMTP_FROM", "noreply@balansity.test") if SANDBOX else env.required("SMTP_FROM", why)
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError:
        env.problem("SMTP_FROM must be a bare mail address like noreply@example.org; the name goes into SMTP_FROM_NAME")
        return ""
    local, _, domain = address.rpartition("@")
    # Providers differ in what they make of Cyrillic letters there; all of them, and every Message-ID, take this.
    address = f"{local}@{_ascii(domain) or domain}"
    name = env.text("SMTP_FROM_NAME", "Balansity")
    if not name.isprintable():
        env.problem("SMTP_FROM_NAME must be one line of text")
        return address
    return str(Address(display_name=name, addr_spec=address))


def _hello_name(sender: str) -> str:
    """The full host name for EHLO: `SMTP_HELO_NAME`, or the host of `API_BASE_URL`, or the domain of the sender."""
    named = env.text("SMTP_HELO_NAME")
    if named:
        if not _is_full_name(_ascii(named)):
            env.problem("SMTP_HELO_NAME must be the full name of a host, like mail.example.org")
        return _ascii(named)
    host = WebAddress.parse(API_BASE_URL).host
    return host if _is_full_name(host) else _ascii(parseaddr(sender)[1].rpartition("@")[2]) or "localhost.localdomain"


def _ascii(host: str) -> str:
    try:
        return one_host(host)
    except NotAnAddress:
        return ""


def _is_full_name(host: str) -> bool:
    return re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*\.[a-z][a-z0-9-]*[a-z0-9]", host) is not None


def _extra_recipients() -> tuple[str, ...]:
    named = env.words("EMAIL_EXTRA_RECIPIENTS")
    for name in named:
        if not _is_full_name(_ascii(name.rpartition("@")[2])):
            env.problem(f"EMAIL_EXTRA_RECIPIENTS must be addresses or domains, like me@example.org, not {name!r}")
    return named


def _link_hosts() -> tuple[str, ...]:
    storage = (WebAddress.parse(SUPABASE_URL).host,) if SUPABASE_URL else ()
    named = env.words("EMAIL_LINK_HOSTS", ("*",) if SANDBOX else storage)
    hosts = [word if word == "*" else _ascii(word) for word in named]
    for word, host in zip(named, hosts, strict=True):
        if not host:
            env.problem(f"EMAIL_LINK_HOSTS must be names of hosts, like files.example.org, not {word!r}")
    return tuple(hosts)


def _support_contact() -> str:
    contact = env.text("SUPPORT_CONTACT")
    try:
        read_contact(contact)
    except ValueError:
        env.problem(
            "SUPPORT_CONTACT must be one mail address, one telephone number with its code, or one https:// link, "
            f"not {contact!r}"
        )
        return ""
    if not contact and not SANDBOX:
        env.warning(
            "SUPPORT_CONTACT is not set, so mails and error pages name nobody whom a family can ask: put a mail "
            "address, a telephone number or an https:// link there"
        )
    return contact


def _look_at_smtp() -> None:
    """Leave with `env` what is missing for SMTP."""
    if EMAIL_PROVIDER == "smtp" and not SANDBOX and not env.text("SMTP_HOST"):
        env.problem("SMTP_HOST is not set: put the name of the mail server there, or choose another EMAIL_PROVIDER")
    if bool(EMAIL_HOST_USER) != bool(EMAIL_HOST_PASSWORD):
        missing = "SMTP_PASS" if EMAIL_HOST_USER else "SMTP_USER"
        env.problem(f"{missing} is not set: a mail server wants both a user and a password, or neither")


def _usual_security(port: int) -> str:
    """465 means TLS from the first byte, anything else STARTTLS; in the sandbox only 587."""
    if port == _IMPLICIT_TLS_PORT:
        return "tls"
    return "none" if SANDBOX and port != _SUBMISSION_PORT else "starttls"


def _api_key(env: EnvReader, name: str, provider: str) -> dict[str, str]:
    env.required(name, f"EMAIL_PROVIDER={provider} needs the key of your account")
    return {name: env.key(name)}


def _api(provider: str) -> dict[str, str]:
    match provider:
        case "resend":
            return _api_key(env, "RESEND_API_KEY", provider)
        case "sendgrid":
            return _api_key(env, "SENDGRID_API_KEY", provider)
        case "unisender_go":
            # The address depends on where the account lives, so there is no default that would be right.
            where = "EMAIL_PROVIDER=unisender_go needs your account's address, like https://go1.unisender.ru/ru/transactional/api/v1"
            url = env.required("UNISENDER_GO_API_URL", where)
            return {
                **_api_key(env, "UNISENDER_GO_API_KEY", provider),
                "UNISENDER_GO_API_URL": env.web_address("UNISENDER_GO_API_URL", url),
            }
        case _:
            return {}


EMAIL_PROVIDER = env.choice("EMAIL_PROVIDER", "smtp", tuple(_BACKENDS))
if EMAIL_PROVIDER == "console" and not SANDBOX:
    env.problem(
        "EMAIL_PROVIDER=console sends nothing and is for the sandbox: choose smtp, resend, sendgrid or unisender_go"
    )
EMAIL_BACKEND = _BACKENDS[EMAIL_PROVIDER]
EMAIL_TIMEOUT = env.integer("EMAIL_TIMEOUT", 20, least=1, most=300)
DEFAULT_FROM_EMAIL = _sender()
SERVER_EMAIL = DEFAULT_FROM_EMAIL
# Times are sent in UTC: the recipient's mail client knows its own zone.
EMAIL_USE_LOCALTIME = False
# Whom families can ask, for mails and pages; an address also gets the answers to our mails.
SUPPORT_CONTACT = _support_contact()

SMTP_HELO_NAME = _hello_name(DEFAULT_FROM_EMAIL)
EMAIL_HOST = env.host("SMTP_HOST", "127.0.0.1")
EMAIL_PORT = env.integer("SMTP_PORT", _SUBMISSION_PORT, least=1, most=65535)
EMAIL_HOST_USER = env.text("SMTP_USER")
EMAIL_HOST_PASSWORD = env.verbatim("SMTP_PASS")
_look_at_smtp()
_security = env.choice("SMTP_SECURITY", "auto", ("auto", "starttls", "tls", "none"))
_security = _usual_security(EMAIL_PORT) if _security == "auto" else _security
EMAIL_USE_TLS = _security == "starttls"
EMAIL_USE_SSL = _security == "tls"
ANYMAIL = {"REQUESTS_TIMEOUT": (min(EMAIL_TIMEOUT, 10), EMAIL_TIMEOUT), **_api(EMAIL_PROVIDER)}

# Addresses, and domains, that get mails although no customer of ours has them; the rest of the world gets none.
EMAIL_EXTRA_RECIPIENTS = _extra_recipients()
EMAIL_HOURLY_LIMIT = env.integer("EMAIL_HOURLY_LIMIT", 20, least=1, most=1_000_000)
# Hosts that a link in a mail may lead to besides our own pages; `*` is any, and the default of the sandbox only.
# Whoever holds the public key can enqueue a mail: our name must not stand above a stranger's link.
EMAIL_LINK_HOSTS = _link_hosts()
EMAIL_BODY_DAYS = env.integer("EMAIL_BODY_DAYS", 90, least=1, most=36_500)
EMAIL_TASK_TIME_LIMIT = env.integer("EMAIL_TASK_TIME_LIMIT", 60, least=1, most=3600)
MAX_EMAIL_RETRY_ATTEMPTS = env.integer("MAX_EMAIL_RETRY_ATTEMPTS", 5, most=100)
