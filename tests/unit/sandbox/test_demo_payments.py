"""The demo's verdict on payments, and what its scenes cover."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from sandbox.demo.cast import SCENES
from sandbox.demo.findings import exit_code
from sandbox.demo.payments.customers import ANNA, CUSTOMERS
from sandbox.demo.payments.expectation import ExpectedPayment, Given, State
from sandbox.demo.payments.observation import Money, ObservedPayment, Row, Scenery
from sandbox.demo.payments.till import Held
from sandbox.demo.payments.verdict import judge_payment, judge_payments

AMOUNT = Decimal("4500.00")
PAID = State("completed", "succeeded", Given.BOOKED)
EXPECTED = ExpectedPayment("a consultation", ANNA, PAID, ("payment_confirmation", "appointment_confirmation"))
ROW = Row("p1", AMOUNT, PAID, gifts=1)
HELD = Held("e1", "p1", "succeeded", AMOUNT, Decimal(0), "Заказ № p1")
GOOD = ObservedPayment((200,), (ROW,), (HELD,), things=1, paid_things=1, mails=2)
MONEY = Money(AMOUNT, Decimal(0), AMOUNT, Decimal(0))
SCENERY = Scenery({ANNA: GOOD}, MONEY, strangers=(), notifications={"processed": 1, "refused": 1}, sent=1)

TWICE_GIVEN = replace(ROW, gifts=2)
FLAGGED = replace(ROW, state=replace(PAID, attention="slot_taken"))
CORRECTED = replace(ROW, state=replace(PAID, corrections=1))
STILL_OPEN = replace(ROW, state=State("processing", "pending"))
REFUNDED_THERE = replace(HELD, refunded=Decimal("1500.00"))


def differences(scenery: Scenery, *, disorder: tuple[str, ...] = ()) -> str:
    findings = judge_payments([EXPECTED], scenery, disorder)
    assert exit_code(findings) == (1 if findings.differences else 0)
    return "; ".join(findings.differences)


def test_a_payment_that_ended_as_expected_has_no_differences() -> None:
    assert differences(SCENERY) == ""


@pytest.mark.parametrize(
    ("observed", "named"),
    [
        (replace(GOOD, answers=(503, 200)), "answers to its start is '(503, 200)'"),
        (replace(GOOD, mails=3), "number of mails is '3'"),
        (replace(GOOD, rows=(), held=()), "number of rows is '0'"),
        (replace(GOOD, rows=(ROW, ROW)), "number of rows is '2'"),
        (replace(GOOD, held=(HELD, HELD)), "number of payments at YooKassa is '2'"),
        (replace(GOOD, things=2), "number of consultations and packages is '2'"),
        (replace(GOOD, paid_things=0), "number of those with a payment is '0'"),
        (replace(GOOD, rows=(TWICE_GIVEN,)), "number of times that something was given is '2'"),
        (replace(GOOD, rows=(FLAGGED,)), "attention is 'slot_taken'"),
        (replace(GOOD, rows=(CORRECTED,)), "corrections is '1'"),
        (replace(GOOD, rows=(STILL_OPEN,)), "status is 'processing' instead of 'completed'"),
        (replace(GOOD, held=(replace(HELD, status="canceled"),)), "status at YooKassa is 'canceled'"),
        (replace(GOOD, held=(replace(HELD, amount=Decimal(1)),)), "amount at YooKassa is '1'"),
        (replace(GOOD, held=(REFUNDED_THERE,)), "refunded at YooKassa is '1500.00'"),
    ],
)
def test_a_wrong_payment_is_named_and_fails_the_demo(observed: ObservedPayment, named: str) -> None:
    assert named in differences(replace(SCENERY, payments={ANNA: observed}))


@pytest.mark.parametrize(
    ("scenery", "named"),
    [
        (replace(SCENERY, money=replace(MONEY, paid_here=AMOUNT * 2)), "sum of what was paid"),
        (replace(SCENERY, money=replace(MONEY, refunded_there=AMOUNT)), "sum of what went back"),
        (replace(SCENERY, money=replace(MONEY, paid_here=Decimal(0), paid_there=Decimal(0))), "nobody paid"),
        (replace(SCENERY, strangers=("the payment e9 at YooKassa",)), "nobody asked for the payment e9"),
        (replace(SCENERY, notifications={"refused": 1, "stored": 2}), "2 notifications are stored"),
        (replace(SCENERY, notifications={"refused": 1, "failed": 1}), "1 notifications are failed"),
        (replace(SCENERY, notifications={"processed": 9}), "number of refused notifications is '0'"),
    ],
)
def test_what_is_wrong_beyond_one_payment_fails_the_demo(scenery: Scenery, named: str) -> None:
    assert named in differences(scenery)


def test_a_surprise_while_a_scene_was_played_fails_the_demo() -> None:
    assert differences(SCENERY, disorder=("the two clicks got different payments",)) != ""


def test_a_refused_payment_must_leave_nothing_behind() -> None:
    refused = ExpectedPayment("a tampered price", ANNA, None, answers=(400,))

    assert judge_payment(refused, ObservedPayment(answers=(400,))).differences == ()
    assert "number of rows is '1' instead of '0'" in judge_payment(refused, GOOD).differences


def test_the_scenes_play_more_than_a_dozen_payments_and_everything_that_can_become_of_one() -> None:
    expected = [payment for scene in SCENES for payment in scene.expects]
    states = [payment.state for payment in expected if payment.state]

    assert Counter(payment.customer for payment in expected) == dict.fromkeys(CUSTOMERS, 1)
    assert len(states) >= 12
    assert {state.status for state in states} == {"completed", "failed", "processing", "refunded"}
    assert {state.given for state in states} == set(Given)
    assert {code for payment in expected for code in payment.answers} == {200, 400, 404, 503}
    assert any(state.attention == "slot_taken" for state in states)
    assert any(state.corrections for state in states)
