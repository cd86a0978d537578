"""What counts as an order, and which metadata order the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from payments.errors import InvalidOrder
from payments.orders import DEEPEST, Order, parse_order, storable_metadata
from payments.states import OrderKind

KIND = "e0000000-0000-4000-8000-000000000002"
OTHER = "10000000-0000-4000-8000-000000000003"
NEW = {"type": "appointment", "appointment_type_id": KIND, "scheduled_at": "2026-12-01T10:00:00.000Z"}


def refused(metadata: object) -> str:
    with pytest.raises(InvalidOrder) as refusal:
        parse_order(metadata)
    return refusal.value.code


def test_the_three_orders_of_the_front_end_are_read() -> None:
    start = datetime(2026, 12, 1, 10, tzinfo=UTC)
    new = parse_order({**NEW, "package_id": None, "profile_id": OTHER})
    assert new == Order(OrderKind.APPOINTMENT, UUID(KIND), scheduled_at=start, profile_id=UUID(OTHER))
    booked = {"type": "appointment", "package_id": None, "appointment_id": OTHER, "appointment_type_id": KIND}
    assert parse_order(booked) == Order(OrderKind.APPOINTMENT, UUID(KIND), UUID(OTHER))
    assert parse_order({"type": "package", "package_id": OTHER}) == Order(OrderKind.PACKAGE, package_id=UUID(OTHER))


@pytest.mark.parametrize(
    "same",
    [
        {**NEW, "package_id": None, "profile_id": None, "appointment_id": None},
        {**NEW, "scheduled_at": "2026-12-01T13:00:00+03:00"},
        {**NEW, "appointment_type_id": KIND.upper()},
        {
            **NEW,
            "title": "Консультация",
            "payment_id": OTHER,
            "user_id": OTHER,
            "discount": {"percent": Decimal("1.5")},
        },
    ],
)
def test_what_orders_the_same_is_equal_however_it_is_written(same: dict[str, Any]) -> None:
    assert parse_order(same) == parse_order(NEW)


def test_a_booked_consultation_keeps_its_time_whatever_the_metadata_says() -> None:
    assert parse_order({**NEW, "appointment_id": OTHER}).scheduled_at is None


@pytest.mark.parametrize("start", ["2026-12-01T10:01:00Z", "2026-12-01T10:00:00+03:00"])
def test_another_time_is_another_order(start: str) -> None:
    assert parse_order({**NEW, "scheduled_at": start}) != parse_order(NEW)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        (None, "invalid_metadata"),
        ([NEW], "invalid_metadata"),
        ("{}", "invalid_metadata"),
        ({}, "unknown_order_type"),
        ({"type": "donation"}, "unknown_order_type"),
        ({"type": ["package"]}, "unknown_order_type"),
        ({"type": "package"}, "package_missing"),
        ({"type": "package", "package_id": None}, "package_missing"),
        ({"type": "package", "package_id": OTHER, "appointment_id": OTHER}, "ambiguous_order"),
        ({**NEW, "package_id": OTHER}, "ambiguous_order"),
        ({**NEW, "appointment_type_id": None}, "appointment_type_missing"),
        ({**NEW, "scheduled_at": None}, "scheduled_at_missing"),
    ],
)
def test_an_order_that_is_not_whole_is_refused_with_a_code(metadata: object, code: str) -> None:
    assert refused(metadata) == code


@pytest.mark.parametrize(
    "raw", [f"{{{KIND}}}", KIND.replace("-", ""), f"urn:uuid:{KIND}", f" {KIND}", "", 7, True, [KIND], "х" * 36]
)
@pytest.mark.parametrize("key", ["appointment_type_id", "profile_id", "appointment_id"])
def test_only_a_plain_uuid_is_an_id(key: str, raw: object) -> None:
    assert refused({**NEW, key: raw}) == "invalid_metadata"


@pytest.mark.parametrize(
    "raw",
    [
        "2026-12-01T10:00:00",
        "2026-12-01",
        "tomorrow",
        "",
        1_780_000_000,
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "2026-12-01T10:00:00Z" + " " * 40,
    ],
)
def test_only_a_time_with_a_zone_is_a_time(raw: object) -> None:
    assert refused({**NEW, "scheduled_at": raw}) == "invalid_metadata"


def test_metadata_has_a_bound() -> None:
    assert parse_order({**NEW, "note": "ж" * 3900}) == parse_order(NEW)
    # Two bytes a letter: it is not letters that fill a column.
    assert refused({**NEW, "note": "ж" * 4100}) == "metadata_too_large"


def test_metadata_cannot_be_nested_without_end() -> None:
    nested: Any = 1
    for _ in range(DEEPEST - 1):
        nested = [nested]
    assert storable_metadata({"x": nested[0]}) == {"x": nested[0]}
    assert refused({**NEW, "x": nested}) == "invalid_metadata"


def test_numbers_of_our_parser_become_what_a_jsonb_column_holds() -> None:
    assert storable_metadata({"a": Decimal("19.99"), "b": [Decimal("1E+2")]}) == {"a": 19.99, "b": [100.0]}
    assert refused({**NEW, "x": Decimal("1E+400")}) == "invalid_metadata"
