"""Scenes in which somebody cheats, something breaks, or two people want the same."""

from dataclasses import replace

from sandbox.demo.payments.customers import (
    DARYA,
    FEDOR,
    KHRISTINA,
    MIKHAIL,
    NINA,
    ROMAN,
    STEPAN,
    SVETLANA,
    TAMARA,
    ULYANA,
)
from sandbox.demo.payments.expectation import ExpectedPayment, State
from sandbox.demo.payments.orders import booked_consultation, new_consultation
from sandbox.demo.payments.purchases import BOOKED, CONSULTATION_PAID, PAID, WAITS
from sandbox.demo.payments.scene import Scene
from sandbox.demo.payments.stage import SceneBroken, Stage
from sandbox.demo.payments.till import ADDRESS

# Documentation's own network: nobody's address, so none of YooKassa's.
STRANGER = "203.0.113.7"
COPIES = 5


def _tampered_price(stage: Stage) -> None:
    bill = replace(new_consultation(stage.diary.free_time()), amount="1.00")
    stage.expect(stage.browser(MIKHAIL).create(bill), 400, "amount_mismatch")


def _foreign_consultation(stage: Stage) -> None:
    if DARYA not in stage.booked:
        raise SceneBroken("Darya has booked nothing that could be taken from her")
    bill = booked_consultation(stage.booked[DARYA])
    stage.expect(stage.browser(NINA).create(bill), 404, "appointment_not_found")


def _forged(stage: Stage) -> None:
    payment_id = stage.start(ROMAN, new_consultation(stage.diary.free_time()))
    external_id = stage.external_id(payment_id)
    refused = stage.notify(external_id=external_id, payment_id=payment_id, address=STRANGER)
    stage.insist(refused == 403, f"a stranger's notification was answered {refused}")
    # Even YooKassa's own address proves nothing: the payment is looked up there, and waits for its payer.
    stored = stage.notify(external_id=external_id, payment_id=payment_id, address=ADDRESS)
    stage.insist(stored == 200, f"a notification from YooKassa's address was answered {stored}")


def _out_of_order(stage: Stage) -> None:
    stage.till.notify(hold=True, copies=COPIES)
    external_id = stage.external_id(stage.start(TAMARA, new_consultation(stage.diary.free_time())))
    stage.till.reserve(external_id)
    stage.till.pay(external_id)
    answers = stage.till.release("reversed")
    stage.insist(answers == [200] * 2 * COPIES, f"the notifications were answered {answers}")


def _slot_taken(stage: Stage) -> None:
    at = stage.diary.free_time()
    late = stage.start(SVETLANA, new_consultation(at))
    stage.await_status(stage.buy(STEPAN, new_consultation(at)), "completed")
    stage.till.pay(stage.external_id(late))


def _written_by_hand(stage: Stage) -> None:
    browser = stage.browser(ULYANA)
    payment_id = stage.start(ULYANA, new_consultation(stage.diary.free_time()))
    browser.write_status(payment_id, "completed")
    verified = browser.verify(payment_id)
    stage.expect(verified, 200)
    stage.insist(verified.body.get("status") == "processing", f"verify says {verified.body.get('status')}")


def _silence(stage: Stage) -> None:
    bill = new_consultation(stage.diary.free_time())
    # The payment is made there; only its answer never comes.
    stage.till.fail("silent", after=True, method="POST", path="/payments")
    stage.expect(stage.browser(FEDOR).create(bill), 503, "provider_unavailable")
    stage.buy(FEDOR, bill)


def _down(stage: Stage) -> None:
    bill = new_consultation(stage.diary.free_time())
    stage.till.fail("500", times=2, method="POST", path="/payments")
    for _ in range(2):
        stage.expect(stage.browser(KHRISTINA).create(bill), 503, "provider_unavailable")
    payment_id = stage.start(KHRISTINA, bill)
    external_id = stage.external_id(payment_id)
    # The notification arrives, and its check fails until YooKassa is back.
    stage.till.fail("500", times=2, method="GET", path=f"/payments/{external_id}")
    stage.till.pay(external_id)
    stage.await_status(payment_id, "completed")


TROUBLES = (
    Scene(
        "Mikhail's browser names a price of 1 ruble",
        _tampered_price,
        (ExpectedPayment("a tampered price", MIKHAIL, None, answers=(400,)),),
    ),
    Scene(
        "Nina wants to pay for Darya's consultation",
        _foreign_consultation,
        (ExpectedPayment("somebody else's consultation", NINA, None, answers=(404,)),),
    ),
    Scene(
        "somebody forges notifications that Roman paid, once even from YooKassa's address",
        _forged,
        (ExpectedPayment("forged notifications", ROMAN, WAITS),),
    ),
    Scene(
        f"Tamara pays; each notification comes {COPIES} times, the last ones first",
        _out_of_order,
        (ExpectedPayment(f"notified {COPIES} times, in disorder", TAMARA, CONSULTATION_PAID, (PAID, BOOKED)),),
    ),
    Scene(
        "Svetlana pays for a time that Stepan took while she typed in her card",
        _slot_taken,
        (
            ExpectedPayment(
                "the time was taken",
                SVETLANA,
                State("completed", "succeeded", attention="slot_taken"),
                (PAID,),
            ),
            ExpectedPayment("who took it", STEPAN, CONSULTATION_PAID, (PAID, BOOKED)),
        ),
    ),
    Scene(
        "Ulyana's browser writes `completed` into the row by itself",
        _written_by_hand,
        # Supabase's own trigger believes the row and sends a mail; we give nothing.
        (ExpectedPayment("`completed` by hand", ULYANA, replace(WAITS, corrections=1), (PAID,)),),
    ),
    Scene(
        "YooKassa does not answer Fedor's request; he tries again",
        _silence,
        (ExpectedPayment("no answer, then a repeat", FEDOR, CONSULTATION_PAID, (PAID, BOOKED), answers=(503, 200)),),
    ),
    Scene(
        "YooKassa is down while Khristina pays",
        _down,
        (ExpectedPayment("YooKassa is down", KHRISTINA, CONSULTATION_PAID, (PAID, BOOKED), answers=(503, 503, 200)),),
    ),
)
