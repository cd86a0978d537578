"""Hands one mail to the provider over a connection that is kept open between mails."""

import os
import smtplib
import threading
import time
from datetime import UTC
from email.utils import format_datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from requests import RequestException

from notifications.errors import DeliveryDeferred
from notifications.outgoing import OutgoingEmail, Receipt
from notifications.sending.refusals import explain_refusal
from notifications.sending.smtp import SmtpBackend
from wording.contact import Kind, read_contact
from wording.plain_text import one_line

# Mail servers drop idle connections after minutes, firewalls sooner and without a word.
MOST_IDLE_SECONDS = 30


class Mailer(threading.local):
    """Sends mails over one connection a thread, opened when the first is sent and reused for the next.

    A child of a fork opens its own; one that was idle for half a minute, or saw an error, is replaced.
    """

    def __init__(self) -> None:
        self._backend: BaseEmailBackend | None = None
        self._owner = 0
        self._used_at = 0.0

    def send(self, email: OutgoingEmail) -> Receipt:
        """Hand the mail over, outside any transaction: this takes up to several times `EMAIL_TIMEOUT`.

        Raises `PermanentError` for a refusal that repeating cannot change, `DeliveryDeferred` or an error of the
        network for everything else.
        """
        backend, reused = self._prepare()
        try:
            try:
                return self._hand_over(backend, email)
            except (smtplib.SMTPServerDisconnected, smtplib.SMTPSenderRefused, OSError) as error:
                if not (reused and _was_closed_before_body(backend, error)):
                    raise
                # The server had closed the kept connection, which says nothing about this mail: not a failed attempt.
                self._abandon()
                return self._hand_over(self._prepare()[0], email)
        except Exception as error:
            self._abandon()
            explained = explain_refusal(error)
            if explained is error:
                raise
            raise explained from error

    def close(self) -> None:
        """Say goodbye to the server, if there is a connection and the server still listens."""
        if self._backend is None or self._owner != os.getpid():
            # A connection of the parent: a word on it would end up in the middle of the parent's own conversation.
            self._abandon()
            return
        try:
            self._backend.close()
            self._backend = None
        except (OSError, smtplib.SMTPException, RequestException):
            # Whoever closes needs no more from it.
            self._abandon()

    def _prepare(self) -> tuple[BaseEmailBackend, bool]:
        """Return a backend of this process, and whether its connection was used before."""
        if self._owner != os.getpid() or time.monotonic() - self._used_at > MOST_IDLE_SECONDS:
            self.close()
        if self._backend is not None:
            return self._backend, True
        self._backend, self._owner = get_connection(), os.getpid()
        return self._backend, False

    def _hand_over(self, backend: BaseEmailBackend, email: OutgoingEmail) -> Receipt:
        message = EmailMultiAlternatives(
            subject=email.subject,
            body=email.text,
            to=[email.recipient],
            reply_to=_reply_to(),
            headers={
                "Message-ID": email.message_id,
                "Date": format_datetime(email.date.astimezone(UTC)),
                # RFC 3834: no out-of-office answers to this.
                "Auto-Submitted": "auto-generated",
            },
            connection=backend,
        )
        message.attach_alternative(email.html, "text/html")
        for attachment in email.attachments:
            message.attach(attachment.part())
        if settings.EMAIL_PROVIDER not in ("smtp", "console"):
            # Providers write the date themselves and some refuse a request that brings one.
            del message.extra_headers["Date"]
        # Opened here and not by send_messages, which would close it again.
        backend.open()
        backend.send_messages([message])
        self._used_at = time.monotonic()
        return Receipt(settings.EMAIL_PROVIDER, one_line(_provider_id(backend, message), 255))

    def _abandon(self) -> None:
        if isinstance(self._backend, SmtpBackend):
            self._backend.abandon()
        self._backend = None


def _reply_to() -> list[str]:
    """Where answers go: nobody reads the box that mails are sent from, if there is one."""
    contact = read_contact(settings.SUPPORT_CONTACT)
    return [contact.text] if contact and contact.kind is Kind.ADDRESS else []


def _provider_id(backend: BaseEmailBackend, message: EmailMultiAlternatives) -> str:
    if isinstance(backend, SmtpBackend):
        return backend.last_reply
    # Set by anymail's backends, and no attribute of Django's message.
    status = getattr(message, "anymail_status", None)
    if status is None:
        return ""
    if status.status and "failed" in status.status:
        raise DeliveryDeferred(f"{settings.EMAIL_PROVIDER} cannot reach the recipient at the moment")
    return str(status.message_id or "")


def _was_closed_before_body(backend: BaseEmailBackend, error: Exception) -> bool:
    if not isinstance(backend, SmtpBackend) or backend.body_sent:
        return False
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == 421
    # All of smtplib's errors are an OSError as well: a refused recipient is an answer and no lost connection.
    return isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException)


mailer = Mailer()
