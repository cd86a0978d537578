"""Another payment than the one that we asked for moves nothing here: each sign of it counts by itself."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.sync import send_and_ask
from payments.models import Checkout, Fulfilment, PackagePurchase, Payment, Refund
from payments.states import Attention, Door, OrderKind, PaymentStatus, ProviderStatus, payment_status
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout, make_customer
from tests.support.payment_calls import make_catalogue
from tests.support.payment_deliveries import start_payment
from tests.support.report_deliveries import queued_mails
from tests.support.yookassa_shop import refund_body


@pytest.fixture
def checkout(shop: YooKassaServer) -> Checkout:
    """A package that is paid and refunded in part at YooKassa, and neither is known here yet."""
    checkout = start_payment(kind=OrderKind.PACKAGE, package_id=make_catalogue().package.pk)
    shop.succeed(str(checkout.external_id))
    shop.shop.create_refund(refund_body(str(checkout.external_id), "100.00"))
    return checkout


def told(checkout: Checkout, **otherwise: Any) -> Observation:
    """What YooKassa says about the payment, with something else in it."""
    observation = send_and_ask(checkout.pk)
    assert observation.payment is not None
    assert observation.refunds
    return replace(observation, payment=replace(observation.payment, **otherwise))


def assert_not_taken(observation: Observation, note: str) -> None:
    """Nothing is given, booked or told, the row stays as it is, and a person learns of it."""
    row = Payment.objects.filter(pk=observation.payment_id)
    before = row.values("status", "amount", "currency", "external_payment_id", "user_id").get()
    known = ("provider_status", "external_id", "refunded_amount", "captured_at")
    ours = Checkout.objects.filter(pk=observation.payment_id).values(*known)
    was = ours.get()
    mails = queued_mails()
    apply_observation(observation, door=Door.WEBHOOK)
    checkout = Checkout.objects.get(pk=observation.payment_id)
    assert checkout.attention == Attention.MISMATCH
    assert note in checkout.attention_note
    assert row.values(*before).get() == before
    assert ours.get() == was
    assert not Fulfilment.objects.exists()
    assert not PackagePurchase.objects.exists()
    assert not Refund.objects.exists()
    assert queued_mails() == mails


def test_the_payment_that_we_asked_for_is_taken_with_its_refund(checkout: Checkout) -> None:
    apply_observation(told(checkout), door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert (checkout.attention, checkout.refunded_amount) == ("", Decimal("100.00"))
    assert PackagePurchase.objects.get().payment_id == checkout.pk
    assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.COMPLETED


@pytest.mark.parametrize(
    ("otherwise", "note"),
    [
        ({"id": "2f-another"}, "the id is 2f-another, not "),
        ({"amount": Decimal("4499.99")}, "the amount is 4499.99 RUB, not 4500.00 RUB"),
        ({"amount": Decimal("4500.01")}, "the amount is 4500.01 RUB, not 4500.00 RUB"),
        ({"currency": "KZT"}, "the amount is 4500.00 KZT, not 4500.00 RUB"),
        ({"metadata": {"payment_id": str(uuid.UUID(int=7))}}, f"it was made for the payment {uuid.UUID(int=7)}"),
        ({"metadata": {"payment_id": ""}}, "it was made for the payment of nobody"),
        ({"metadata": {}}, "it was made for the payment of nobody"),
    ],
    ids=["id", "less", "more", "currency", "made for another", "made for an empty name", "made for nobody"],
)
def test_one_thing_that_is_otherwise_makes_it_another_payment(
    otherwise: dict[str, Any], note: str, checkout: Checkout
) -> None:
    assert_not_taken(told(checkout, **otherwise), note)


def test_a_row_that_came_back_as_somebody_elses_gets_nothing(checkout: Checkout) -> None:
    thief = make_customer()
    Payment.objects.filter(pk=checkout.pk).update(user=thief)
    note = f"the row belongs to the customer {thief.pk}, not to {checkout.user_id} who started it"
    assert_not_taken(told(checkout), note)


def test_a_payment_that_another_row_has_already_is_not_found_for_a_second_one(checkout: Checkout) -> None:
    seen = told(checkout).payment
    assert seen is not None
    # Its creation got no answer, and a payment in its name is found that is known as another row's.
    second = make_checkout(external_id=None, kind=OrderKind.PACKAGE, package_id=checkout.package_id)
    theirs = replace(seen, metadata={"payment_id": str(second.pk)})
    assert_not_taken(Observation(second.pk, theirs), f"the payment {seen.id} belongs to another row")


@pytest.mark.parametrize(
    ("was", "seen"),
    [(ProviderStatus.CANCELED, "succeeded"), (ProviderStatus.SUCCEEDED, "canceled")],
)
def test_an_end_that_contradicts_the_one_that_we_saw_is_no_news_but_a_case_for_a_person(
    was: ProviderStatus, seen: str, checkout: Checkout
) -> None:
    observation = told(checkout, status=seen)
    Checkout.objects.filter(pk=checkout.pk).update(provider_status=was)
    Payment.objects.filter(pk=checkout.pk).update(status=payment_status(was, fully_refunded=False))
    assert_not_taken(observation, f"it is {seen} after it was {was}")


@pytest.mark.parametrize(
    ("named", "taken"), [(None, True), ("itself", True), ("another", False)], ids=["nobody", "itself", "another"]
)
def test_what_the_system_before_us_started_may_name_nobody_and_never_another(
    named: str | None, taken: bool, checkout: Checkout
) -> None:
    Checkout.objects.filter(pk=checkout.pk).update(request_body=None)
    name = str(checkout.pk) if named == "itself" else str(uuid.UUID(int=7))
    observation = told(checkout, metadata={} if named is None else {"payment_id": name})
    if not taken:
        assert_not_taken(observation, "it was made for the payment")
        return
    apply_observation(observation, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert (checkout.provider_status, checkout.refunded_amount) == (ProviderStatus.SUCCEEDED, Decimal("100.00"))


def test_a_long_name_of_another_payment_is_told_in_part(checkout: Checkout) -> None:
    assert_not_taken(told(checkout, metadata={"payment_id": "x" * 5000}), "it was made for the payment " + "x" * 64)
    checkout.refresh_from_db()
    assert len(checkout.attention_note) < 100
