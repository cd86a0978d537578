"""Resend through anymail, with the idempotency key that anymail has no name for."""

from typing import Any

from anymail.backends.resend import EmailBackend
from django.core.mail import EmailMessage


class IdempotentResendBackend(EmailBackend):  # type: ignore[misc]
    """Sends the Message-ID as `Idempotency-Key`: Resend drops a repeat of the same mail within 24 hours.

    https://resend.com/docs/dashboard/emails/idempotency-keys
    """

    def build_message_payload(self, message: EmailMessage, defaults: Any) -> Any:
        payload = super().build_message_payload(message, defaults)
        payload.headers["Idempotency-Key"] = message.extra_headers["Message-ID"].strip("<>")
        return payload
