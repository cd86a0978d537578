"""Which failures of a mail are those of the server or provider, so that every other mail would meet them too.

What the answer is about, `notifications.sending.refusals` has judged by then. Left to this module are the temporary
ones: a recipient's server that wants a mail later is no outage, ours that takes none is.
"""

import re
import smtplib
import ssl

from anymail.exceptions import AnymailRequestsAPIError
from requests import RequestException

from bridge.breaker import Verdict
from bridge.errors import Away
from notifications.errors import DeliveryDeferred, OurFault

# RFC 3463: X.3.1 is a full disk, X.3.2 no messages now, X.3.5 a wrong set-up, each of the server that we speak to.
# X.3.0 says nothing, and servers use it for a single mail as well.
_SYSTEM = re.compile(
    r"\b4\.3\.[125]\b|insufficient (system )?(storage|resources)|queue file write error|lookup failure"
    r"|server configuration (error|problem)|service (is )?(currently |temporarily )?(not available|unavailable)"
    r"|(server|system) (is )?(too )?(busy|overloaded|shutting down)|not accepting (network )?(messages|connections)",
    re.IGNORECASE,
)
# At a recipient the server may repeat what theirs said: of the address, the mailbox, the way there. X.7.1 may be its
# own: Postfix says so, and "Service unavailable", when a filter of its is down.
_OF_RECIPIENT = re.compile(r"(?:^|\s)[45]\.[124]\.\d")
_CLOSING = 421
_SERVER_ERROR, _TIMEOUT = 500, 408


def judge_outage(error: Exception) -> Verdict | None:
    """What is wrong with the service, by what `Mailer.send` raised; `None` for what is about one mail."""
    kind = _kind(error)
    return None if kind is None else Verdict(kind, str(error) or type(error).__name__)


def _kind(error: Exception) -> Away | None:
    match error:
        case OurFault():
            return Away.QUOTA if error.is_quota else Away.REFUSED
        case DeliveryDeferred():
            return Away.SERVER_ERROR if _is_servers_own(error.__cause__) else None
        case ssl.SSLCertVerificationError():
            return Away.REFUSED
        case smtplib.SMTPNotSupportedError():
            # One kind of address needs what few servers have; anything else, encryption or a login, all mails need.
            return None if "SMTPUTF8" in str(error) else Away.REFUSED
        case OSError() | RequestException():
            return Away.AWAY
        case _:
            return None


def _is_servers_own(cause: BaseException | None) -> bool:
    """Whether a temporary refusal is about the server that gave it, and neither about a recipient nor a text."""
    reply: bytes | str
    match cause:
        case AnymailRequestsAPIError() if cause.response is not None:
            status: int = cause.response.status_code
            return status >= _SERVER_ERROR or status == _TIMEOUT
        case smtplib.SMTPConnectError() | smtplib.SMTPHeloError() | smtplib.SMTPSenderRefused():
            return True
        case smtplib.SMTPRecipientsRefused():
            code, reply = next(iter(cause.recipients.values()))
            if code != _CLOSING and _OF_RECIPIENT.search(_text(reply)):
                return False
        case smtplib.SMTPResponseException():
            code, reply = cause.smtp_code, cause.smtp_error
        case _:
            return False
    return code == _CLOSING or _SYSTEM.search(_text(reply)) is not None


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
