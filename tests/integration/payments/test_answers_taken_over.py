"""What an answer of YooKassa's changes in our books, word by word, and which marks it settles."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from payments.checking.apply import apply_observation
from payments.checking.ask import GIVE_UP_AFTER, Observation
from payments.ledger.marks import open_marks
from payments.models import Checkout, Fulfilment, PaymentEvent, Refund
from payments.states import Attention, Door, EventKind, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected
from payments.yookassa.objects import ProviderPayment, ProviderRefund
from tests.support.checkouts import delete_row, flag, make_checkout, queued_checks

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def checkout() -> Checkout:
    return make_checkout()


def told(checkout: Checkout, status: str, **otherwise: Any) -> Observation:
    payment = ProviderPayment(
        id=checkout.external_id or "2f-new",
        status=status,
        amount=checkout.amount,
        currency=checkout.currency,
        test=False,
        created_at=None,
        captured_at=None,
        expires_at=None,
        income_amount=None,
        refunded_amount=Decimal(0),
        description="",
        metadata={"payment_id": str(checkout.pk)},
        confirmation_token=None,
        method_type="bank_card",
        method_title="Bank card *4444",
        cancellation_party="",
        cancellation_reason="",
        receipt_registration="",
    )
    return Observation(checkout.pk, replace(payment, **otherwise))


def take(observation: Observation) -> Checkout:
    apply_observation(observation, door=Door.WEBHOOK)
    return Checkout.objects.get(pk=observation.payment_id)


def reasons(checkout: Checkout) -> list[str]:
    return [mark.reason for mark in open_marks(checkout.pk)]


def kinds(checkout: Checkout) -> list[str]:
    return list(PaymentEvent.objects.filter(payment_id=checkout.pk).order_by("pk").values_list("kind", flat=True))


@pytest.mark.parametrize("word", ["", "held_by_a_robot"])
def test_a_word_that_we_do_not_know_is_a_payment_on_its_way(word: str) -> None:
    unanswered = make_checkout(external_id=None)
    assert take(told(unanswered, word)).provider_status == ProviderStatus.PENDING
    assert kinds(unanswered)[:2] == [EventKind.PROVIDER_CREATED, EventKind.STATUS_CHANGED]


def test_a_step_back_changes_nothing_of_what_was_known(checkout: Checkout) -> None:
    day = timezone.now() - timedelta(days=2)
    paid = take(told(checkout, "succeeded", captured_at=day))
    assert (paid.captured_at, paid.method_title) == (day, "Bank card *4444")
    lines = kinds(checkout)
    late = take(told(checkout, "pending", method_title="", captured_at=timezone.now()))
    assert (late.provider_status, late.captured_at, late.method_title) == ("succeeded", day, "Bank card *4444")
    # The same once more is no news, and without a day the one that is known stays.
    assert take(told(checkout, "succeeded")).captured_at == day
    assert kinds(checkout) == lines


def test_money_counts_on_some_day_unless_the_system_before_us_took_it(checkout: Checkout) -> None:
    before = timezone.now()
    assert take(told(checkout, "pending")).captured_at is None
    ours = take(told(checkout, "succeeded")).captured_at
    assert ours is not None
    assert before <= ours <= timezone.now()
    older = make_checkout(request_body=None)
    assert take(told(older, "succeeded")).captured_at is None


@pytest.mark.parametrize("days", [-3, 2])
def test_without_a_day_of_its_own_money_counts_on_the_one_its_payment_was_made_and_never_on_one_to_come(
    days: int, checkout: Checkout
) -> None:
    made_at = timezone.now() + timedelta(days=days)
    counted = take(told(checkout, "succeeded", created_at=made_at)).captured_at
    assert counted is not None
    assert counted == made_at if days < 0 else counted <= timezone.now()


def test_the_token_of_the_form_is_kept_until_another_one_comes(checkout: Checkout) -> None:
    for token, kept in (("ct-1", "ct-1"), (None, "ct-1"), ("ct-2", "ct-2")):
        assert take(told(checkout, "pending", confirmation_token=token)).confirmation_token == kept


def test_the_state_of_a_receipt_is_told_when_it_changes_and_is_not_forgotten(checkout: Checkout) -> None:
    for state in ("pending", "pending", "", "succeeded", "succeeded"):
        taken = take(told(checkout, "succeeded", receipt_registration=state))
        assert taken.receipt_registration == (state or "pending")
    events = PaymentEvent.objects.filter(payment_id=checkout.pk, kind=EventKind.RECEIPT_CHANGED).order_by("pk")
    assert [event.data for event in events] == [{"state": "pending"}, {"state": "succeeded"}]


def test_an_answer_settles_what_it_proves_wrong(checkout: Checkout) -> None:
    for reason in (Attention.NOT_CREATED, Attention.CHECK_FAILED, Attention.MISMATCH, Attention.REFUND_FAILED):
        flag(checkout, reason)
    take(told(checkout, "waiting_for_capture"))
    assert reasons(checkout) == [Attention.WAITS_FOR_CAPTURE]
    take(told(checkout, "waiting_for_capture", amount=Decimal(1)))
    assert sorted(reasons(checkout)) == [Attention.MISMATCH, Attention.WAITS_FOR_CAPTURE]
    # What was captured in part is captured.
    take(told(checkout, "succeeded", amount=Decimal(1)))
    assert reasons(checkout) == [Attention.MISMATCH]
    take(told(checkout, "canceled"))
    assert reasons(checkout) == []
    called_off = make_checkout()
    for status, open_reasons in (("waiting_for_capture", [Attention.WAITS_FOR_CAPTURE]), ("canceled", [])):
        take(told(called_off, status))
        assert reasons(called_off) == open_reasons


def test_a_refund_that_failed_stays_a_case_until_as_much_went_back(checkout: Checkout) -> None:
    take(told(checkout, "succeeded"))
    failed = Refund.objects.create(
        payment_id=checkout.pk, amount=Decimal(100), status=RefundStatus.REJECTED, request_body={}
    )
    flag(checkout, Attention.REFUND_FAILED, str(failed.pk))
    take(told(checkout, "succeeded"))
    assert Attention.REFUND_FAILED in reasons(checkout)
    Checkout.objects.filter(pk=checkout.pk).update(held_at=timezone.now(), give_at=timezone.now())
    # Nobody is given anything for what went back, and nothing about it is open.
    paid = take(told(checkout, "succeeded", refunded_amount=checkout.amount))
    assert (reasons(checkout), paid.refunded_amount, paid.held_at) == ([], checkout.amount, None)


@pytest.mark.parametrize("end", ["there again", "canceled", "refunded"])
def test_a_deleted_row_is_a_case_while_money_is_there_for_it(end: str, checkout: Checkout) -> None:
    row = checkout.payment
    delete_row(checkout)
    take(told(checkout, "pending"))
    assert reasons(checkout) == []
    if end == "canceled":
        flag(checkout, Attention.ROW_DELETED)
        take(told(checkout, "canceled"))
    else:
        take(told(checkout, "succeeded"))
        assert reasons(checkout) == [Attention.ROW_DELETED]
        refunded = checkout.amount if end == "refunded" else Decimal(0)
        if end == "there again":
            row.save(force_insert=True)
        take(told(checkout, "succeeded", refunded_amount=refunded))
    assert Attention.ROW_DELETED not in reasons(checkout)
    assert not Fulfilment.objects.exists()


def test_a_payment_that_yookassa_never_had_is_given_up_after_an_hour_and_no_other_is() -> None:
    now = timezone.now()
    for status, age, becomes in (
        (ProviderStatus.UNKNOWN, GIVE_UP_AFTER + timedelta(minutes=1), ProviderStatus.REJECTED),
        (ProviderStatus.UNKNOWN, GIVE_UP_AFTER - timedelta(minutes=1), ProviderStatus.UNKNOWN),
        (ProviderStatus.PENDING, GIVE_UP_AFTER + timedelta(minutes=1), ProviderStatus.PENDING),
    ):
        checkout = make_checkout(status, external_id=None if status == ProviderStatus.UNKNOWN else "")
        Checkout.objects.filter(pk=checkout.pk).update(created_at=now - age)
        flag(checkout, Attention.CHECK_FAILED)
        known = take(Observation(checkout.pk, None, seen_at=now))
        assert (known.provider_status, known.checks, reasons(checkout)) == (becomes, 1, [])


def test_refunds_are_noted_though_one_of_them_cannot_be_and_that_one_is_named(checkout: Checkout) -> None:
    good = ProviderRefund("2f-good", "", "succeeded", Decimal(5), "RUB", None, "", "", "", "")
    bad = replace(good, id="2f-bad", amount=Decimal(-5))
    for refunds, noted in (((bad, good), [Attention.MISMATCH]), ((good,), []), (None, [])):
        take(replace(told(checkout, "succeeded"), refunds=refunds))
        marks = [mark for mark in open_marks(checkout.pk) if mark.reason == Attention.MISMATCH]
        assert [mark.reason for mark in marks] == noted
        assert all("2f-bad" in mark.note and "2f-good" not in mark.note for mark in marks)
        assert [one.external_id for one in Refund.objects.all()] == ["2f-good"]
    assert queued_checks() == []
    take(replace(told(checkout, "succeeded"), unsent=True))
    assert queued_checks() == [{"payment_id": str(checkout.pk), "action": "refund"}]


def test_of_several_refunds_the_one_is_refused_that_yookassa_refused(checkout: Checkout) -> None:
    other = make_checkout(ProviderStatus.SUCCEEDED)
    asked = [
        Refund.objects.create(payment_id=payment_id, amount=Decimal(100), request_body={})
        for payment_id in (checkout.pk, checkout.pk, other.pk)
    ]
    refused = {refund.pk: Rejected(400, "invalid_request", "amount", "too much") for refund in asked[1:]}
    take(replace(told(checkout, "succeeded"), refused=refused))
    states = [Refund.objects.get(pk=refund.pk).status for refund in asked]
    assert states == [RefundStatus.REQUESTED, RefundStatus.REJECTED, RefundStatus.REQUESTED]
