"""What a customer orders, as the front end puts it into a request and into a row."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """`amount` is rubles as text."""

    amount: str
    metadata: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"amount": self.amount, "currency": "RUB", "metadata": self.metadata}

    @property
    def books_itself(self) -> bool:
        """Whether the front end inserts a consultation of its own once it is paid."""
        return "scheduled_at" in self.metadata

    @classmethod
    def new_consultation(cls, kind: object, at: datetime, amount: str, **more: Any) -> "Order":
        metadata = {"type": "appointment", "package_id": None, "appointment_type_id": str(kind)}
        return cls(amount, {**metadata, "scheduled_at": z(at), **more})

    @classmethod
    def booked_consultation(cls, kind: object, appointment_id: object, amount: str) -> "Order":
        metadata = {"type": "appointment", "package_id": None, "appointment_type_id": str(kind)}
        return cls(amount, {**metadata, "appointment_id": str(appointment_id)})

    @classmethod
    def package(cls, package_id: object, amount: str) -> "Order":
        return cls(amount, {"type": "package", "package_id": str(package_id)})


def as_the_clock_has_it(picked: datetime, now: datetime | None = None) -> datetime:
    """The time that the front end makes of a picked minute: seconds and milliseconds stay as the clock had them."""
    now = now or datetime.now(UTC)
    return picked.replace(second=now.second, microsecond=now.microsecond // 1000 * 1000)


def z(at: datetime) -> str:
    """As JavaScript writes a time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
