"""Which refusals end a mail and which are worth a repeat.

A permanent refusal is about this mail: its recipient or its content. Whatever is wrong with us (credentials, sender,
host, rights, quota) is temporary whatever the server calls it, and is named as ours: once an operator has mended it,
the mails that waited must go out. `notifications.sending.judgement` tells which is which.
"""

import smtplib

from anymail.exceptions import AnymailError, AnymailInvalidAddress, AnymailRecipientsRefused, AnymailRequestsAPIError
from requests import Response

from bridge.errors import PermanentError
from notifications.errors import DeliveryDeferred, OurFault
from notifications.sending.faults import Fault, Step
from notifications.sending.judgement import find_api_fault, find_fault
from wording.masking import mask_tokens
from wording.plain_text import one_line

MOST_CHARACTERS = 500


def explain_refusal(error: Exception) -> Exception:
    """Return the error to raise instead: `PermanentError`, `OurFault`, `DeliveryDeferred`, or the error itself.

    The last is for errors of the network and of libraries: their own text says it best, and they are repeated.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            # One recipient a mail, so there is one answer.
            code, reply = next(iter(error.recipients.values()))
            return _smtp_refusal("refused the recipient", Step.RECIPIENT, code, reply)
        case smtplib.SMTPSenderRefused():
            what = "refused our sender (SMTP_FROM)"
            return _smtp_refusal(what, Step.SENDER, error.smtp_code, error.smtp_error)
        case smtplib.SMTPAuthenticationError():
            what = "refused our credentials (SMTP_USER, SMTP_PASS)"
            return OurFault(_text(f"the mail server {what}: {_reply(error)}", Fault.LOGIN))
        case smtplib.SMTPDataError():
            return _smtp_refusal("refused the mail", Step.TEXT, error.smtp_code, error.smtp_error)
        case smtplib.SMTPResponseException():
            step = Step.HELLO if isinstance(error, smtplib.SMTPHeloError) else Step.CONNECT
            return _smtp_refusal("answered", step, error.smtp_code, error.smtp_error)
        case AnymailRecipientsRefused() | AnymailInvalidAddress():
            return PermanentError(f"the provider refused the recipient: {_line(error.args)}")
        case AnymailRequestsAPIError() if error.response is not None:
            return _api_refusal(error.esp_name or "the provider", error.response)
        case AnymailError() if not isinstance(error, OSError):
            # Its text may hold the provider's whole answer, and that what we sent.
            return DeliveryDeferred(f"the provider could not be used: {type(error).__name__}: {_line((error,))}")
        case _:
            return error


def _smtp_refusal(what: str, step: Step, code: int, reply: bytes | str) -> Exception:
    decoded = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return _judged(f"the mail server {what}: {code} {_line((decoded,))}", find_fault(step, code, decoded))


def _api_refusal(provider: str, response: Response) -> Exception:
    message = _api_message(response)
    text = f"{provider} answered {response.status_code}: {message}"
    return _judged(text, find_api_fault(response.status_code, message))


def _judged(text: str, fault: Fault | None) -> Exception:
    if fault is not None and fault.is_ours:
        return OurFault(_text(text, fault), is_quota=fault is Fault.QUOTA)
    return DeliveryDeferred(text) if fault in (None, Fault.BUSY) else PermanentError(text)


def _text(text: str, fault: Fault) -> str:
    return f"{text} (ours to mend: {fault.remedy})"


def _api_message(response: Response) -> str:
    """What the provider says is wrong, wherever it puts that: `message`, `error`, or a list of `errors`."""
    try:
        answer = response.json()
    except ValueError:
        return _line((response.text,))
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = answer[0]
    if isinstance(answer, dict):
        errors = answer.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else answer
        if isinstance(first, dict):
            said = first.get("message") or first.get("error") or answer
            # SendGrid names the field that it means beside the text, and the same text may be about any.
            answer = f"{said} ({first['field']})" if first.get("field") else said
    return _line((answer,))


def _reply(error: smtplib.SMTPResponseException) -> str:
    reply = error.smtp_error
    return f"{error.smtp_code} {_line((reply.decode('utf-8', 'replace') if isinstance(reply, bytes) else reply,))}"


def _line(parts: tuple[object, ...]) -> str:
    """Bounded, on one line, and without the tokens that an echo of the mail may hold."""
    return one_line(mask_tokens(" ".join(str(part) for part in parts)), MOST_CHARACTERS)
