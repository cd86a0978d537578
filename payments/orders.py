"""What a payment is for, as its `metadata` says: read strictly, since a price and a consultation hang on it."""

import json
import math
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments.errors import InvalidOrder, OrderFault
from payments.minutes import minute_of
from payments.states import OrderKind

MOST_BYTES = 8 * 1024
DEEPEST = 8
LONGEST_TIME = 40
YEARS = range(2000, 2200)
_APPOINTMENT_KEYS = ("appointment_type_id", "appointment_id", "scheduled_at", "profile_id")


@dataclass(frozen=True, slots=True)
class Order:
    """A consultation or a package. Two metadata that order the same thing give equal orders, whatever else they say.

    A consultation has its kind, and either `appointment_id` of one that is booked already or the time of a new one,
    in UTC, to the minute. A package has `package_id` and nothing else.
    """

    kind: OrderKind
    appointment_type_id: uuid.UUID | None = None
    appointment_id: uuid.UUID | None = None
    scheduled_at: datetime | None = None
    profile_id: uuid.UUID | None = None
    package_id: uuid.UUID | None = None

    def columns(self) -> dict[str, Any]:
        """The order as columns of `Checkout`, by name."""
        return asdict(self)


def parse_order(metadata: object) -> Order:
    """Read the metadata of a payment; absent and null mean the same, unknown keys nothing. Raises `InvalidOrder`."""
    known = storable_metadata(metadata)
    kind = known.get("type")
    if kind == OrderKind.PACKAGE:
        return _package(known)
    if kind == OrderKind.APPOINTMENT:
        return _appointment(known)
    raise InvalidOrder(OrderFault.UNKNOWN_TYPE, known=", ".join(OrderKind.values))


def storable_metadata(metadata: object) -> dict[str, Any]:
    """Return the metadata as a jsonb column can hold it. Raises `InvalidOrder` for what is too large or no object."""
    if not isinstance(metadata, dict):
        raise InvalidOrder(OrderFault.NOT_AN_OBJECT)
    stored: dict[str, Any] = _storable(metadata, DEEPEST)
    if len(json.dumps(stored, ensure_ascii=False).encode()) > MOST_BYTES:
        raise InvalidOrder(OrderFault.TOO_LARGE, most=MOST_BYTES)
    return stored


def _storable(value: Any, depth: int) -> Any:
    if depth == 0:
        raise InvalidOrder(OrderFault.TOO_DEEP, most=DEEPEST)
    match value:
        case dict():
            return {key: _storable(item, depth - 1) for key, item in value.items()}
        case list():
            return [_storable(item, depth - 1) for item in value]
        case Decimal():
            # Our parser makes these of numbers with a point; nothing that money depends on is among them.
            number = float(value)
            if not math.isfinite(number):
                raise InvalidOrder(OrderFault.NUMBER_OUT_OF_RANGE)
            return number
        case _:
            return value


def _package(known: dict[str, Any]) -> Order:
    _refuse(known, _APPOINTMENT_KEYS, OrderKind.PACKAGE)
    package_id = _uuid(known, "package_id")
    if package_id is None:
        raise InvalidOrder(OrderFault.PACKAGE_MISSING)
    return Order(OrderKind.PACKAGE, package_id=package_id)


def _appointment(known: dict[str, Any]) -> Order:
    _refuse(known, ("package_id",), OrderKind.APPOINTMENT)
    type_id, booked = _uuid(known, "appointment_type_id"), _uuid(known, "appointment_id")
    start = _time(known, "scheduled_at")
    if type_id is None:
        raise InvalidOrder(OrderFault.APPOINTMENT_TYPE_MISSING)
    if booked is None and start is None:
        raise InvalidOrder(OrderFault.START_MISSING)
    return Order(
        OrderKind.APPOINTMENT,
        appointment_type_id=type_id,
        appointment_id=booked,
        # A booked one has its time already, whatever the metadata says.
        scheduled_at=None if booked else start,
        profile_id=_uuid(known, "profile_id"),
    )


def _refuse(known: dict[str, Any], keys: tuple[str, ...], kind: OrderKind) -> None:
    """A second thing in the same order would be paid and not given."""
    for key in keys:
        if known.get(key) is not None:
            raise InvalidOrder(OrderFault.AMBIGUOUS, key=key, kind=kind.value)


def _uuid(known: dict[str, Any], key: str) -> uuid.UUID | None:
    raw = known.get(key)
    if raw is None:
        return None
    try:
        parsed = uuid.UUID(raw) if isinstance(raw, str) else None
    except ValueError:
        parsed = None
    # Python also takes braces, URNs and digits without hyphens.
    if parsed is None or str(parsed) != str(raw).lower():
        raise InvalidOrder(OrderFault.NO_UUID, key=key)
    return parsed


def _time(known: dict[str, Any], key: str) -> datetime | None:
    raw = known.get(key)
    if raw is None:
        return None
    try:
        parsed = datetime.fromisoformat(raw) if isinstance(raw, str) and len(raw) <= LONGEST_TIME else None
    except ValueError:
        parsed = None
    # Far from the ends of the calendar, so that it can be shown in any time zone.
    if parsed is None or parsed.tzinfo is None or parsed.year not in YEARS:
        raise InvalidOrder(OrderFault.NO_TIME_WITH_ZONE, key=key)
    return minute_of(parsed)
