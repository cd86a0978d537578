"""What customers ask for, as the front end puts it into a request."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from balansity.sandbox.demo.mail.families import CONSULTATION
from balansity.sandbox.demo.payments.customers import PACKAGE

CONSULTATION_PRICE = "4500.00"
PACKAGE_PRICE = "16000.00"

# Far from the times that cron reminds of.
_FIRST_DAY = timedelta(days=4)
_OPENS = 9


@dataclass(frozen=True, slots=True)
class Bill:
    """The body of `POST /api/payments/create`; `amount` is rubles as text."""

    amount: str
    metadata: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"amount": self.amount, "currency": "RUB", "metadata": self.metadata}


def new_consultation(at: datetime) -> Bill:
    return Bill(CONSULTATION_PRICE, {**_consultation(), "scheduled_at": _z(at)})


def booked_consultation(appointment_id: str) -> Bill:
    return Bill(CONSULTATION_PRICE, {**_consultation(), "appointment_id": appointment_id})


def package() -> Bill:
    return Bill(PACKAGE_PRICE, {"type": "package", "package_id": PACKAGE})


class Diary:
    """Free times: each is given once, half an hour after the last."""

    def __init__(self) -> None:
        day = datetime.now(UTC).replace(hour=_OPENS, minute=0, second=0, microsecond=0)
        self._next = day + _FIRST_DAY

    def free_time(self) -> datetime:
        at, self._next = self._next, self._next + timedelta(minutes=30)
        return at


def _consultation() -> dict[str, Any]:
    return {"type": "appointment", "package_id": None, "appointment_type_id": CONSULTATION}


def _z(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
