"""Which row a refund of YooKassa's belongs to: ours only where payment, id and amount agree, else one of its own."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from payments.checking.apply import apply_observation
from payments.checking.sync import send_and_ask, sync_payment
from payments.models import Checkout, Payment, Refund
from payments.refunds.request import remaining_amount, request_refund
from payments.states import Door, OrderKind, PaymentStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Catalogue
from tests.support.payment_deliveries import start_payment
from tests.support.report_deliveries import queued_mails
from tests.support.yookassa_shop import refund_body


@pytest.fixture
def paid(shop: YooKassaServer, catalogue: Catalogue) -> Checkout:
    return pay(shop, catalogue)


def pay(shop: YooKassaServer, catalogue: Catalogue) -> Checkout:
    checkout = start_payment(kind=OrderKind.PACKAGE, package_id=catalogue.package.pk)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout


def in_the_office(shop: YooKassaServer, checkout: Checkout, amount: str, named: object = "by hand") -> str:
    """Somebody refunds at YooKassa itself, with any text at all as the description; returns the id there."""
    body = refund_body(str(checkout.external_id), amount) | {"description": f"Возврат {named}"}
    return str(shop.shop.create_refund(body)["id"])


def ask(checkout: Checkout, amount: str, refund_id: uuid.UUID) -> Refund:
    return request_refund(
        payment_id=checkout.pk,
        amount=Decimal(amount),
        reason="",
        actor_id=None,
        door=Door.STAFF,
        refund_id=refund_id,
        without_receipt=True,
    )


def rows_of(checkout: Checkout) -> dict[tuple[str | None, str], Decimal]:
    """The amounts, by the id at YooKassa and the state."""
    refunds = Refund.objects.filter(payment_id=checkout.pk)
    return {(one.external_id, one.status): one.amount for one in refunds}


def refund_mails() -> list[Mapping[str, Any]]:
    return [mail["variables"] for mail in queued_mails() if mail["template"] == "payment_refunded"]


def test_refunds_of_another_payment_are_not_booked_here_though_yookassa_lists_them(
    shop: YooKassaServer, paid: Checkout, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = pay(shop, catalogue)
    in_the_office(shop, other, "4500.00")
    own = in_the_office(shop, paid, "10.00")
    honest = shop.shop.list_refunds

    def list_refunds(query: Mapping[str, str]) -> Any:
        return honest({name: value for name, value in query.items() if name != "payment_id"})

    monkeypatch.setattr(shop.shop, "list_refunds", list_refunds)
    payment = sync_payment(paid.pk, door=Door.RECONCILIATION)
    paid.refresh_from_db()
    assert rows_of(paid) == {(own, RefundStatus.SUCCEEDED): Decimal("10.00")}
    assert (payment.status, paid.refunded_amount) == (PaymentStatus.COMPLETED, Decimal("10.00"))
    assert remaining_amount(paid) == Decimal("4490.00")
    assert rows_of(other) == {}
    assert [mail["amount"] for mail in refund_mails()] == ["10.00"]


@pytest.mark.parametrize("amount", ["300.00", "99.99"])
def test_a_refund_of_another_amount_is_not_the_one_that_it_names(
    amount: str, shop: YooKassaServer, paid: Checkout
) -> None:
    named = uuid.uuid4()
    made = in_the_office(shop, paid, amount, named)
    seen = send_and_ask(paid.pk)
    ours = ask(paid, "100.00", named)
    apply_observation(seen, door=Door.RECONCILIATION)
    # Both count: what went back, and what still has to.
    assert rows_of(paid) == {
        (None, RefundStatus.REQUESTED): Decimal("100.00"),
        (made, RefundStatus.SUCCEEDED): Decimal(amount),
    }
    ours.refresh_from_db()
    assert (ours.pk, ours.external_id) == (named, None)
    assert [mail["amount"] for mail in refund_mails()] == [amount]


def test_a_refund_that_names_the_one_of_another_payment_leaves_that_to_be_sent(
    shop: YooKassaServer, paid: Checkout, catalogue: Catalogue
) -> None:
    other = pay(shop, catalogue)
    theirs = ask(other, "100.00", uuid.uuid4())
    made = in_the_office(shop, paid, "100.00", theirs.pk)
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert rows_of(paid) == {(made, RefundStatus.SUCCEEDED): Decimal("100.00")}
    theirs.refresh_from_db()
    assert (theirs.status, theirs.external_id, theirs.payment_id) == (RefundStatus.REQUESTED, None, other.pk)


def test_a_refund_that_names_one_which_was_made_already_is_a_second_one(shop: YooKassaServer, paid: Checkout) -> None:
    first = in_the_office(shop, paid, "100.00")
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    row = Refund.objects.get()
    second = in_the_office(shop, paid, "100.00", row.pk)
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    paid.refresh_from_db()
    row.refresh_from_db()
    assert row.external_id == first
    assert rows_of(paid) == {
        (first, RefundStatus.SUCCEEDED): Decimal("100.00"),
        (second, RefundStatus.SUCCEEDED): Decimal("100.00"),
    }
    assert paid.refunded_amount == Decimal("200.00")
    assert len(refund_mails()) == 2


def test_a_refund_that_was_asked_for_here_is_known_by_its_name_and_amount(shop: YooKassaServer, paid: Checkout) -> None:
    named = uuid.uuid4()
    made = in_the_office(shop, paid, "100.00", named)
    seen = send_and_ask(paid.pk)
    ask(paid, "100.00", named)
    for _ in range(2):
        apply_observation(seen, door=Door.RECONCILIATION)
    assert rows_of(paid) == {(made, RefundStatus.SUCCEEDED): Decimal("100.00")}
    assert len(refund_mails()) == 1
    assert Payment.objects.get(pk=paid.pk).status == PaymentStatus.COMPLETED
