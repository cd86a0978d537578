"""Whether mail can leave: everything that a mail needs of its server or provider but the mail itself."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr
from typing import Any

import requests
from django.conf import settings
from django.core.mail.message import sanitize_address
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Probe, error, warning
from notifications.sending.smtp import SmtpBackend

SECONDS = 3.0


def look_at_mail() -> Iterator[Finding]:
    yield from look_at_sending(SECONDS)
    if not settings.SANDBOX:
        yield from _look_at_domain()


def look_at_sending(seconds: float | None) -> Iterator[Finding]:
    """Whether the server or provider would take a mail now; also the breaker's probe. It costs no mail.

    `seconds` bound each step, `None`: as many as a mail may take.
    """
    patience = settings.EMAIL_TIMEOUT if seconds is None else seconds
    if settings.EMAIL_PROVIDER == "smtp":
        yield from _look_at_server(patience)
    elif settings.EMAIL_PROVIDER in _PROVIDERS:
        yield from _look_at_provider(settings.EMAIL_PROVIDER, patience)


def _look_at_server(seconds: float) -> Iterator[Finding]:
    """Connect, begin TLS, log in and name the sender, as for a mail; then take it back."""
    where = {"host": settings.EMAIL_HOST, "port": settings.EMAIL_PORT}
    backend = SmtpBackend(timeout=seconds)
    try:
        backend.open()
        if backend.connection is not None:
            yield from _offer_sender(backend.connection, where)
    except (OSError, smtplib.SMTPException, UnicodeError) as trouble:
        yield _explain(trouble, where)
    finally:
        backend.abandon()


def _offer_sender(server: smtplib.SMTP, where: Mapping[str, Any]) -> Iterator[Finding]:
    sender = sanitize_address(parseaddr(settings.DEFAULT_FROM_EMAIL)[1], "utf-8")
    server.ehlo_or_helo_if_needed()
    code, reply = server.mail(sender)
    if not 200 <= code < 300:
        if 400 <= code < 500:
            cause = _("The mail server %(host)s takes no mail at the moment: %(reply)s")
            remedy, said = _("Wait; if it stays so, ask the mail provider."), f"{code} {reply.decode(errors='replace')}"
            yield error("mail.not_now", cause, remedy, **where, reply=said)
        elif code in (530, 534, 535, 538):
            yield _login_refused(where, f"{code} {reply.decode(errors='replace')}")
        else:
            yield error(
                "mail.sender_refused",
                _("The mail server %(host)s refuses the sender %(sender)s: %(reply)s"),
                _("Let SMTP_FROM be an address that SMTP_USER may send from."),
                **where,
                sender=sender,
                reply=f"{code} {reply.decode(errors='replace')}",
            )
    server.rset()
    server.quit()


def _explain(trouble: Exception, where: Mapping[str, Any]) -> Finding:
    """In the order in which one thing must work before the next can."""
    said = _said(trouble)
    match trouble:
        case socket.gaierror():
            cause = _("The mail server %(host)s is not known to DNS.")
            return error("mail.host_unknown", cause, _("Check SMTP_HOST, and the DNS of this machine."), **where)
        case ssl.SSLCertVerificationError():
            cause = _("The certificate of the mail server %(host)s is not valid: %(said)s")
            remedy = _("Let SMTP_HOST be the name that its certificate is for, or renew that.")
            return error("mail.certificate", cause, remedy, **where, said=trouble.verify_message)
        case ssl.SSLError() | smtplib.SMTPNotSupportedError() if "AUTH" not in str(trouble):
            return _wrong_tls(where, said)
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPNotSupportedError() | UnicodeError():
            return _login_refused(where, said)
        case smtplib.SMTPServerDisconnected() | TimeoutError() if settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL:
            cause = _("The mail server %(host)s, port %(port)s, does not answer in time: %(said)s")
            remedy = _(
                "Check SMTP_PORT (465 is TLS from the first byte, 587 STARTTLS), and whether a firewall is in between."
            )
            return error("mail.no_answer", cause, remedy, **where, said=said)
        case _:
            cause = _("The mail server %(host)s, port %(port)s, cannot be reached: %(said)s")
            remedy = _("Check SMTP_HOST and SMTP_PORT; many hosts close the ports of mail until they are asked.")
            return error("mail.unreachable", cause, remedy, **where, said=said)


def _wrong_tls(where: Mapping[str, Any], said: str) -> Finding:
    cause = _("The mail server %(host)s, port %(port)s, does not speak TLS as it is asked to: %(said)s")
    remedy = _("Let SMTP_SECURITY fit SMTP_PORT: tls for 465, starttls for 587, auto for both.")
    return error("mail.tls", cause, remedy, **where, said=said)


def _login_refused(where: Mapping[str, Any], said: str) -> Finding:
    cause = _("The mail server %(host)s does not let us log in: %(said)s")
    remedy = _("Check SMTP_USER and SMTP_PASS; many providers want a password made for programs.")
    return error("mail.login_refused", cause, remedy, **where, said=said)


def _said(trouble: Exception) -> str:
    if isinstance(trouble, smtplib.SMTPResponseException):
        text = trouble.smtp_error
        return f"{trouble.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    if isinstance(trouble, UnicodeError):
        # Its text may repeat the password.
        return type(trouble).__name__
    return str(trouble) or type(trouble).__name__


def _look_at_domain() -> Iterator[Finding]:
    """Whether the sender's domain exists at all. One without an address may have mail servers, and is left alone."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    try:
        socket.getaddrinfo(domain, 25)
    except socket.gaierror as trouble:
        if trouble.errno == socket.EAI_NONAME:
            cause = _("The sender's domain %(domain)s does not exist, so most servers refuse mails from it.")
            yield warning("mail.sender_domain", cause, _("Check SMTP_FROM."), domain=domain)
    except (OSError, UnicodeError):
        # No DNS at the moment: nothing is known of the domain.
        return


def _ask_resend(seconds: float) -> requests.Response:
    url = _anymail("RESEND_API_URL", "https://api.resend.com/")
    return _get(f"{url}domains", {"Authorization": f"Bearer {settings.ANYMAIL['RESEND_API_KEY']}"}, seconds)


def _ask_sendgrid(seconds: float) -> requests.Response:
    url = _anymail("SENDGRID_API_URL", "https://api.sendgrid.com/v3/")
    return _get(f"{url}scopes", {"Authorization": f"Bearer {settings.ANYMAIL['SENDGRID_API_KEY']}"}, seconds)


def _ask_unisender(seconds: float) -> requests.Response:
    url = _anymail("UNISENDER_GO_API_URL", "")
    headers = {"X-API-KEY": str(settings.ANYMAIL["UNISENDER_GO_API_KEY"])}
    return requests.post(f"{url}system/info.json", headers=headers, json={}, timeout=seconds, allow_redirects=False)


# The cheapest call of each that says whether a key counts: https://resend.com/docs/api-reference/domains/list-domains,
# https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions,
# https://godocs.unisender.ru/web-api-ref#system-info
_PROVIDERS: Mapping[str, tuple[str, Callable[[float], requests.Response]]] = {
    "resend": ("RESEND_API_KEY", _ask_resend),
    "sendgrid": ("SENDGRID_API_KEY", _ask_sendgrid),
    "unisender_go": ("UNISENDER_GO_API_KEY", _ask_unisender),
}
# Resend's answer to a key that may do nothing but send, which is all that we need.
_SENDS_ONLY = "restricted_api_key"


def _look_at_provider(provider: str, seconds: float) -> Iterator[Finding]:
    key, ask = _PROVIDERS[provider]
    try:
        answer = ask(seconds)
    except requests.RequestException as trouble:
        cause = _("%(provider)s cannot be reached: %(said)s")
        remedy = _(
            "Check the way out of this machine (DNS, firewall, proxy); for UniSender Go also UNISENDER_GO_API_URL."
        )
        yield error("mail.provider_unreachable", cause, remedy, provider=provider, said=type(trouble).__name__)
        return
    if answer.status_code in (400, 401, 403) and _SENDS_ONLY not in answer.text[:1000]:
        cause = _("%(provider)s refuses our key (%(status)s).")
        remedy = _("Check %(key)s: it belongs to the account, is complete and was not revoked.")
        yield error("mail.key_refused", cause, remedy, provider=provider, status=answer.status_code, key=key)
    elif provider == "sendgrid" and answer.ok and '"mail.send"' not in answer.text:
        cause = _("The key of SendGrid may not send mail.")
        yield error("mail.key_refused", cause, _("Give SENDGRID_API_KEY the permission “Mail Send”."))
    elif answer.status_code >= 500 or answer.status_code == 404:
        cause = _("%(provider)s does not answer as it should (%(status)s).")
        remedy = _("Try again later; if it stays so, check the address of its API.")
        yield error("mail.provider_trouble", cause, remedy, provider=provider, status=answer.status_code)


def _get(url: str, headers: Mapping[str, str], seconds: float) -> requests.Response:
    return requests.get(url, headers=headers, timeout=seconds, allow_redirects=False)


def _anymail(name: str, default: str) -> str:
    return str(settings.ANYMAIL.get(name) or default).rstrip("/") + "/"


PROBES = (Probe("mail", look_at_mail),)
