"""Which refusals end a mail and which are worth a repeat.

A permanent refusal is about this mail: its recipient or its content. Whatever is wrong with us (credentials, sender,
network, quota) is temporary: once an operator has mended it, the mails that waited must go out.
"""

import smtplib

from anymail.exceptions import AnymailInvalidAddress, AnymailRecipientsRefused, AnymailRequestsAPIError
from requests import Response

from bridge.errors import PermanentError
from notifications.errors import DeliveryDeferred
from notifications.plain_text import one_line

MOST_CHARACTERS = 500

# RFC 4954: the server wants other credentials, a stronger mechanism or encryption.
_AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})
# What a provider says about the request itself and not about our account, rate or address of the service.
_PERMANENT_STATUSES = frozenset({400, 413, 422})


def explain_refusal(error: Exception) -> Exception:
    """Return the error to raise instead: `PermanentError`, `DeliveryDeferred`, or the error itself.

    The last is for errors of the network and of libraries: their own text says it best, and they are repeated.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            # One recipient a mail, so there is one answer.
            code, reply = next(iter(error.recipients.values()))
            return _smtp_refusal("the recipient", code, reply)
        case smtplib.SMTPSenderRefused():
            return DeliveryDeferred(f"the mail server refused our sender (SMTP_FROM): {_reply(error)}")
        case smtplib.SMTPAuthenticationError():
            return DeliveryDeferred(f"the mail server refused our credentials (SMTP_USER, SMTP_PASS): {_reply(error)}")
        case smtplib.SMTPDataError():
            return _smtp_refusal("the mail", error.smtp_code, error.smtp_error)
        case smtplib.SMTPResponseException():
            return DeliveryDeferred(f"the mail server answered: {_reply(error)}")
        case AnymailRecipientsRefused() | AnymailInvalidAddress():
            return PermanentError(f"the provider refused the recipient: {_line(error.args)}")
        case AnymailRequestsAPIError() if error.response is not None:
            return _api_refusal(error.esp_name or "the provider", error.response)
        case _:
            return error


def _smtp_refusal(what: str, code: int, reply: bytes | str) -> Exception:
    text = f"the mail server refused {what}: {code} {_decoded(reply)}"
    permanent = 500 <= code < 600 and code not in _AUTHENTICATION_CODES
    return PermanentError(text) if permanent else DeliveryDeferred(text)


def _api_refusal(provider: str, response: Response) -> Exception:
    text = f"{provider} answered {response.status_code}: {_api_message(response)}"
    return PermanentError(text) if response.status_code in _PERMANENT_STATUSES else DeliveryDeferred(text)


def _api_message(response: Response) -> str:
    """What the provider says is wrong, wherever it puts that: `message`, `error`, or a list of `errors`."""
    try:
        answer = response.json()
    except ValueError:
        return one_line(response.text, MOST_CHARACTERS)
    if isinstance(answer, dict):
        errors = answer.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else answer
        if isinstance(first, dict):
            answer = first.get("message") or first.get("error") or answer
    return one_line(str(answer), MOST_CHARACTERS)


def _reply(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_decoded(error.smtp_error)}"


def _decoded(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(text, MOST_CHARACTERS)


def _line(parts: tuple[object, ...]) -> str:
    return one_line(" ".join(str(part) for part in parts), MOST_CHARACTERS)
