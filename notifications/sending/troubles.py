"""What a person can do about a mail server or provider that does not do its part: for `sendtestemail` and the like."""

import smtplib
import socket
import ssl
from types import TracebackType

from bridge.errors import PermanentError
from bridge.trouble.explanation import Explanation, Kind, Rule, chain, one_line, rule
from notifications.errors import DeliveryDeferred, OurFault
from notifications.sending.refusals import explain_refusal

_AWAY = rule(
    "smtp_away",
    Kind.OUTAGE,
    "The mail server does not answer",
    "Look at SMTP_HOST, SMTP_PORT and SMTP_SECURITY, and whether this machine may reach that port",
)
_HOST = rule(
    "smtp_host_unknown",
    Kind.OUTAGE,
    "The host of SMTP_HOST has no address",
    "Look at its spelling, and at the DNS of this machine",
)
_CERTIFICATE = rule(
    "smtp_certificate",
    Kind.MISTAKE,
    "The certificate of the mail server is not one that this machine believes",
    "Let SMTP_HOST be the name in the certificate, or name its authority with SSL_CERT_FILE",
)
_UNSUPPORTED = rule(
    "smtp_unsupported",
    Kind.MISTAKE,
    "The mail server has no encryption, or no login, at that port",
    "Look at SMTP_PORT and SMTP_SECURITY; without a login leave SMTP_USER and SMTP_PASS empty",
)


def explain(error: BaseException) -> Explanation | None:
    """`None` for an error about something else."""
    for link in chain(error):
        if not isinstance(link, Exception):
            continue
        judged = explain_refusal(link)
        if judged is not link:
            return _of_refusal(judged)
        if isinstance(link, smtplib.SMTPException) or (isinstance(link, OSError) and _passed_smtplib(link)):
            return _of_connection(link).explain(str(link))
    return None


def _of_refusal(judged: Exception) -> Explanation | None:
    text = one_line(str(judged))
    match judged:
        case OurFault():
            return Explanation("mail_refused_for_us", Kind.MISTAKE, text, "")
        case DeliveryDeferred():
            return Explanation("mail_deferred", Kind.OUTAGE, text, "Try again later")
        case PermanentError():
            return Explanation("mail_refused", Kind.MISTAKE, text, "It is about this mail: its recipient or its text")
        case _:
            return None


def _of_connection(error: Exception) -> Rule:
    match error:
        case smtplib.SMTPNotSupportedError():
            return _UNSUPPORTED
        case ssl.SSLCertVerificationError():
            return _CERTIFICATE
        case socket.gaierror():
            return _HOST
        case _:
            return _AWAY


def _passed_smtplib(error: Exception) -> bool:
    """An error of the network does not say whose connection it was."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == "smtplib":
            return True
        trace = trace.tb_next
    return False
