from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.yookassa.parsing import Malformed, parse_page, parse_payment, parse_refund

PAYMENT: dict[str, Any] = {
    "id": "23d93cac-000f-5000-8000-126628f15141",
    "status": "canceled",
    "amount": {"value": "4.35", "currency": "RUB"},
    "description": "Заказ № 1",
    "recipient": {"account_id": "100500", "gateway_id": "100700"},
    "payment_method": {"type": "bank_card", "id": "x", "saved": False, "title": "Bank card *4444", "card": {}},
    "created_at": "2018-07-10T14:27:54.691Z",
    "captured_at": "2018-07-10T14:30:00.000Z",
    "expires_at": "2018-07-17T14:27:54.691Z",
    "test": True,
    "paid": True,
    "refundable": True,
    "refunded_amount": {"value": "0.29", "currency": "RUB"},
    "income_amount": {"value": "4.19", "currency": "RUB"},
    "metadata": {"payment_id": "7"},
    "cancellation_details": {"party": "payment_network", "reason": "insufficient_funds"},
    "receipt_registration": "succeeded",
    "confirmation": {"type": "embedded", "confirmation_token": "ct-1"},
}
REFUND: dict[str, Any] = {
    "id": "216749f7-0016-50be-b000-078d43a63ae4",
    "payment_id": PAYMENT["id"],
    "status": "succeeded",
    "created_at": "2017-10-04T19:27:51.407Z",
    "amount": {"value": "1.00", "currency": "RUB"},
}
MINIMAL = {name: PAYMENT[name] for name in ("id", "status", "amount", "created_at")}


def test_a_payment_is_read_in_full() -> None:
    payment = parse_payment(PAYMENT)
    assert (payment.id, payment.status, payment.currency) == (PAYMENT["id"], "canceled", "RUB")
    assert (payment.amount, payment.refunded_amount) == (Decimal("4.35"), Decimal("0.29"))
    assert payment.income_amount == Decimal("4.19")
    assert payment.test is True
    assert payment.created_at == datetime(2018, 7, 10, 14, 27, 54, 691000, tzinfo=UTC)
    assert payment.captured_at == datetime(2018, 7, 10, 14, 30, tzinfo=UTC)
    assert payment.expires_at == datetime(2018, 7, 17, 14, 27, 54, 691000, tzinfo=UTC)
    assert (payment.description, payment.metadata) == ("Заказ № 1", {"payment_id": "7"})
    assert payment.confirmation_token == "ct-1"
    assert (payment.method_type, payment.method_title) == ("bank_card", "Bank card *4444")
    assert (payment.cancellation_party, payment.cancellation_reason) == ("payment_network", "insufficient_funds")
    assert payment.receipt_registration == "succeeded"


def test_what_yookassa_does_not_send_is_empty() -> None:
    payment = parse_payment(MINIMAL)
    assert payment.test is False
    assert (payment.captured_at, payment.expires_at, payment.income_amount) == (None, None, None)
    assert payment.refunded_amount == 0
    assert (payment.description, payment.method_type, payment.cancellation_reason) == ("",) * 3


def test_words_that_nobody_has_heard_of_survive() -> None:
    payment = parse_payment(
        PAYMENT
        | {"status": "on_the_moon", "cancellation_details": {"party": "aliens", "reason": "no_air"}, "new_member": [1]}
    )
    assert (payment.status, payment.cancellation_party, payment.cancellation_reason) == (
        "on_the_moon",
        "aliens",
        "no_air",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"id": "../me"},
        {"id": "x" * 65},
        {"status": None},
        {"status": 1},
        {"amount": None},
        {"amount": "4.35"},
        {"amount": {"value": 4.35, "currency": "RUB"}},
        {"amount": {"value": "NaN", "currency": "RUB"}},
        {"amount": {"value": "1e5", "currency": "RUB"}},
        {"amount": {"value": "-1.00", "currency": "RUB"}},
        {"amount": {"value": "٤.٣٥", "currency": "RUB"}},
        {"amount": {"value": "4.35"}},
        {"refunded_amount": {"value": "-1.00", "currency": "RUB"}},
        {"refunded_amount": 5},
    ],
)
def test_a_payment_without_what_decisions_rest_on_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_payment(PAYMENT | change)


# Where no decision rests.
DETAILS = sorted(PAYMENT.keys() - {"id", "status", "amount", "refunded_amount"})
ODD: tuple[Any, ...] = (None, "", "yes", [], {}, [1], {"a": 1}, 100500, -1, True, "\0", "\ud800", "x" * 5000)


@pytest.mark.parametrize("name", DETAILS)
def test_a_payment_of_ours_is_readable_whatever_stands_where_no_decision_rests(name: str) -> None:
    for odd in ODD:
        try:
            payment = parse_payment(PAYMENT | {name: odd})
            assert (payment.id, payment.status, payment.amount) == (PAYMENT["id"], "canceled", Decimal("4.35"))
            texts = [payment.method_type, payment.method_title, payment.cancellation_reason, *payment.metadata.values()]
            # Postgres takes it.
            assert "\0" not in "".join(texts).encode().decode()
        except Exception as error:
            error.add_note(f"where {odd!r:.40} stands")
            raise


@pytest.mark.parametrize(
    ("part", "odd"),
    [
        ("payment_method", {"type": [], "title": 4477}),
        ("payment_method", {"type": "bank_card", "title": "\0\ud800"}),
        ("cancellation_details", {"party": 1, "reason": {}}),
        ("income_amount", {"value": "-4.19", "currency": "RUB"}),
        ("income_amount", {"value": "999999999.00", "currency": "RUB"}),
        ("income_amount", {"value": 4.19}),
        ("metadata", {"payment_id": "7", "nested": {"a": [1]}, "none": None}),
        ("recipient", {"account_id": 100500}),
        ("created_at", "2018-07-10T14:27:54.691"),
        ("captured_at", "yesterday"),
    ],
)
def test_an_odd_detail_counts_as_not_said(part: str, odd: Any) -> None:
    payment = parse_payment(PAYMENT | {part: odd})
    assert (payment.id, payment.amount, payment.metadata["payment_id"]) == (PAYMENT["id"], Decimal("4.35"), "7")
    assert payment.income_amount in (None, Decimal("4.19"))


@pytest.mark.parametrize("missing", sorted(REFUND.keys() - {"created_at"}))
def test_a_refund_needs_what_decides_about_money(missing: str) -> None:
    assert parse_refund(REFUND).payment_id == PAYMENT["id"]
    with pytest.raises(Malformed):
        parse_refund({name: value for name, value in REFUND.items() if name != missing})


def test_a_page_knows_the_next_one() -> None:
    page = parse_page({"type": "list", "items": [PAYMENT, MINIMAL], "next_cursor": "abc"}, parse_payment)
    assert ([one.id for one in page.items], page.next_cursor) == ([PAYMENT["id"]] * 2, "abc")
    assert parse_page({"items": []}, parse_payment).next_cursor is None
    odd_pages: list[Any] = [{"type": "list"}, {"items": {}}, None, []]
    for odd in odd_pages:
        with pytest.raises(Malformed):
            parse_page(odd, parse_payment)


def test_what_cannot_be_read_is_named_and_the_rest_of_the_page_is_there() -> None:
    odd = [
        None,
        "x",
        PAYMENT | {"id": "y" * 65, "amount": 5},
        PAYMENT | {"amount": 5},
        MINIMAL | {"id": ["anna@a.ru\n"]},
    ]
    page = parse_page({"items": [*odd, PAYMENT]}, parse_payment)
    assert [one.id for one in page.items] == [PAYMENT["id"]]
    assert [one.id for one in page.unreadable] == ["", "", "y" * 64, PAYMENT["id"], "[?anna?a.ru?n?]"]
    assert [one.names for one in page.unreadable] == ["", "", "7", "7", ""]
    assert str(page.unreadable[3]) == f"{PAYMENT['id']} (no usable amount.value)"


@given(st.integers(min_value=1, max_value=10**12))
def test_no_kopeck_is_lost(kopecks: int) -> None:
    text = f"{kopecks // 100}.{kopecks % 100:02}"
    assert parse_payment(PAYMENT | {"amount": {"value": text, "currency": "RUB"}}).amount * 100 == kopecks


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(PAYMENT)), JSON))
def test_any_json_is_a_payment_or_malformed(change: dict[str, Any]) -> None:
    try:
        payment = parse_payment(PAYMENT | change)
    except Malformed:
        return
    assert isinstance(payment.amount, Decimal)
    assert payment.status
    assert payment.created_at is None or payment.created_at.tzinfo
