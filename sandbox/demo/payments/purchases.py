"""Scenes of ordinary customers: how payments usually begin and end."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from sandbox.demo.payments.customers import ANNA, BORIS, DARYA, GLEB, INNA, KIRILL, LYUDMILA, OKSANA, YAROSLAV
from sandbox.demo.payments.expectation import ExpectedPayment, Given, State
from sandbox.demo.payments.orders import booked_consultation, new_consultation, package
from sandbox.demo.payments.scene import Scene
from sandbox.demo.payments.stage import Stage

PAID, BOOKED = "payment_confirmation", "appointment_confirmation"
CONSULTATION_PAID = State("completed", "succeeded", Given.BOOKED)
WAITS = State("processing", "pending")
NOT_PAID = State("failed", "canceled")

FIRST_PART = "1500.00"


def _new_consultation(stage: Stage) -> None:
    payment_id = stage.buy(ANNA, new_consultation(stage.diary.free_time()))
    # As the front end does when the form says that it is done; the notification comes at the same time. While a worker
    # asks YooKassa about it, the answer is what is known so far, and the customer looks again.
    if stage.browser(ANNA).verify(payment_id).body.get("status") == "processing":
        stage.await_status(payment_id, "completed")
    verified = stage.browser(ANNA).verify(payment_id)
    stage.expect(verified, 200)
    stage.insist(verified.body.get("status") == "completed", f"verify says {verified.body.get('status')}")


def _package(stage: Stage) -> None:
    stage.buy(BORIS, package())


def _booked_before(stage: Stage) -> None:
    stage.booked[DARYA] = stage.browser(DARYA).book(new_consultation(stage.diary.free_time()))
    stage.buy(DARYA, booked_consultation(stage.booked[DARYA]))


def _own_row(stage: Stage) -> None:
    bill = new_consultation(stage.diary.free_time())
    row = stage.browser(YAROSLAV).insert_payment(bill)
    payment_id = stage.buy(YAROSLAV, bill)
    stage.insist(payment_id == row, "the row that the front end had inserted was not adopted")
    # Whatever the answer is, the front end inserts its own consultation next.
    stage.expect(stage.browser(YAROSLAV).verify(row), 200)
    stage.browser(YAROSLAV).book(bill)


def _double_click(stage: Stage) -> None:
    browser, bill = stage.browser(LYUDMILA), new_consultation(stage.diary.free_time())
    with ThreadPoolExecutor(2) as fingers:
        first, second = (click.result() for click in [fingers.submit(browser.create, bill) for _ in range(2)])
    stage.insist(first.body == second.body, "the two clicks got different payments")
    stage.till.pay(stage.external_id(first.payment_id))


def _declined(stage: Stage) -> None:
    payment_id = stage.start(GLEB, new_consultation(stage.diary.free_time()))
    stage.till.decline(stage.external_id(payment_id), "insufficient_funds")


def _expired(stage: Stage) -> None:
    payment_id = stage.start(INNA, package())
    stage.till.expire(stage.external_id(payment_id))


def _abandoned(stage: Stage) -> None:
    stage.start(KIRILL, new_consultation(stage.diary.free_time()))


def _refunded(stage: Stage) -> None:
    payment_id = stage.buy(OKSANA, new_consultation(stage.diary.free_time()))
    stage.await_given(payment_id)
    stage.staff.sign_in()
    stage.expect(stage.staff.refund(payment_id, reason="Консультация началась позже", amount=FIRST_PART), 202)
    stage.await_refunds(payment_id, 1)
    too_much = stage.staff.refund(payment_id, reason="По ошибке ещё раз всё", amount="4500.00")
    stage.expect(too_much, 409, "refund_refused")
    stage.expect(stage.staff.refund(payment_id, reason="Специалист заболел"), 202)
    stage.await_refunds(payment_id, 2)


PURCHASES = (
    Scene(
        "Anna pays for a new consultation",
        _new_consultation,
        (ExpectedPayment("a new consultation", ANNA, CONSULTATION_PAID, (PAID, BOOKED)),),
    ),
    Scene(
        "Boris pays for a package",
        _package,
        (ExpectedPayment("a package", BORIS, State("completed", "succeeded", Given.PACKAGE), (PAID,)),),
    ),
    Scene(
        "Darya pays for a consultation that she booked before",
        _booked_before,
        (
            ExpectedPayment(
                "a booked consultation", DARYA, State("completed", "succeeded", Given.LINKED), (BOOKED, PAID)
            ),
        ),
    ),
    Scene(
        "Yaroslav's browser inserts its own payment first and its own consultation last; both are used",
        _own_row,
        (
            ExpectedPayment(
                "the front end's own rows", YAROSLAV, State("completed", "succeeded", Given.LINKED), (PAID, BOOKED)
            ),
        ),
    ),
    Scene(
        "Lyudmila clicks twice",
        _double_click,
        (ExpectedPayment("a double click", LYUDMILA, CONSULTATION_PAID, (PAID, BOOKED), answers=(200, 200)),),
    ),
    Scene(
        "Gleb's bank declines",
        _declined,
        (ExpectedPayment("the bank declines", GLEB, NOT_PAID, ("payment_failed",)),),
    ),
    Scene(
        "Inna lets the payment form expire",
        _expired,
        (ExpectedPayment("the form expires", INNA, NOT_PAID, ("payment_failed",)),),
    ),
    Scene(
        "Kirill opens the payment form and walks away",
        _abandoned,
        (ExpectedPayment("the payer walks away", KIRILL, WAITS),),
    ),
    Scene(
        "Oksana gets a third of her money back, then the rest",
        _refunded,
        (
            ExpectedPayment(
                "refunded in two parts",
                OKSANA,
                State("refunded", "succeeded", Given.BOOKED, refunds=2, refunded=Decimal("4500.00")),
                (PAID, BOOKED, "payment_refunded", "payment_refunded"),
            ),
        ),
    ),
)
