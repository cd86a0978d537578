"""Messages of the mail queue, as the database's functions send them, and the rows of the mail log."""

from typing import Any, Protocol

from sandbox.mailbox import Mail
from tests.acceptance.ledger import Ledger

APPOINTMENT = "0b7f3c1e-6d0a-4b57-9d0e-2f4f0c7b9a11"


def payment_failed(to: Any, **changes: Any) -> dict[str, Any]:
    """A mail that is complete, but for `changes`."""
    variables = {"payment_id": "5d2c1a7e-90f4-4a1b-8a54-b0f6d0f6a9c3", "amount": 5000}
    body = {"to": to, "subject": "Оплата не прошла", "template": "payment_failed", "variables": variables}
    return {**body, "priority": 0, "created_at": "2026-11-23T11:30:00Z", **changes}


def reminder(to: str, scheduled_at: str = "2026-11-24T11:30:00Z") -> dict[str, Any]:
    variables = {"appointment_id": APPOINTMENT, "scheduled_at": scheduled_at}
    return payment_failed(to, subject="Напоминание", template="appointment_reminder_24h", variables=variables)


def mail_log(mail: Ledger) -> dict[int, tuple[str, str, int]]:
    """Status, reason and attempts of each row, by the id of its message."""
    rows = mail.rows("SELECT msg_id, status, reason, attempts FROM balansity.notifications_emailmessage")
    return {msg_id: (status, reason, attempts) for msg_id, status, reason, attempts in rows}


class Received(Protocol):
    """A mail server, or what it got in some time."""

    @property
    def messages(self) -> list[Mail]: ...


def mails(mailbox: Received) -> list[Mail]:
    """Each mail once, newest first: whoever is ended after the server took it hands it over again, as the same mail."""
    return list({mail.message_id: mail for mail in mailbox.messages}.values())
