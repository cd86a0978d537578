"""A mail on its way out, and what came of handing it over.

Apart from what sends it: whoever keeps the mail log needs these, and not the libraries of all providers.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr

from django.conf import settings

from notifications.attachment import Attachment


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """A mail ready to go. `message_id` has its angle brackets; `date` is the same at every attempt."""

    recipient: str
    subject: str
    html: str
    text: str
    message_id: str
    date: datetime
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Who accepted the mail and what they call it; SMTP servers say that in words."""

    provider: str
    provider_message_id: str


def stable_message_id(*, queue: str, msg_id: int, enqueued_at: datetime) -> str:
    """Return the Message-ID of a message's mail: the same at every attempt, another one for every other message.

    The time tells apart the messages of a queue that was dropped and made anew, as ids start again there.
    """
    parts = (queue, str(msg_id), enqueued_at.astimezone(UTC).isoformat())
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{queue}.{msg_id}.{digest}@{domain.encode('idna').decode()}>"
