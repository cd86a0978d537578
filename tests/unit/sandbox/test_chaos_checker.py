"""The checker of `./dev chaos` on made-up books: says nothing of what is right, and finds each thing that is wrong."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sandbox.chaos.books import (
    Books,
    Delivery,
    Done,
    HeldPayment,
    HeldRefund,
    LoggedMail,
    Message,
    Payment,
    Refund,
    Report,
)
from sandbox.chaos.known import AskedRefund, SentMessage, StartedPayment
from tests.support.chaos_books import ID, MAIL, PART, PAYMENTS, PRICE, at, changed, known, right, violations, without


def test_what_is_right_is_right() -> None:
    assert violations(right()) == []


@pytest.mark.parametrize(
    ("books", "found"),
    [
        pytest.param(without(right(), "messages", 0), "email_queue 1: it was committed, and is neither", id="lost"),
        pytest.param(
            changed(right(), "messages", 3, queued=1, archived=0, outcome=""), "it is still queued", id="left behind"
        ),
        pytest.param(changed(right(), "messages", 3, queued=1), "1 rows in the archive and 1 in the queue", id="twice"),
        pytest.param(changed(right(), "messages", 3, archived=2), "2 rows in the archive", id="two outcomes"),
        pytest.param(changed(right(), "messages", 3, outcome=""), "archived without an outcome", id="no outcome"),
        pytest.param(changed(right(), "messages", 3, attempts=7), "it was tried 7 times of 6", id="over the limit"),
        pytest.param(
            changed(right(), "messages", 3, outcome="failed", reason="worker_lost", attempts=5),
            "given up (worker_lost) after 5 attempts of 6",
            id="given up too early",
        ),
        pytest.param(
            replace(right(), done=(Done(PAYMENTS, 1, 1), Done(PAYMENTS, 1, 2))),
            "it was done 2 times",
            id="done twice",
        ),
        pytest.param(
            changed(right(), "messages", 3, attempts=2), "done at attempt 1, and the archive has 2", id="by a stranger"
        ),
        pytest.param(
            changed(right(), "messages", 3, outcome="failed", reason="permanent_error"),
            "a worker did it at attempt 1, and it ended as failed",
            id="done and failed",
        ),
        pytest.param(replace(right(), kept=1), "1 are kept aside", id="kept outcome"),
        pytest.param(changed(right(), "messages", 3, outcome="done"), "ended as done, which is no outcome", id="odd"),
        pytest.param(
            changed(right(), "messages", 4, outcome="failed", reason="permanent_error"),
            "report_generation_queue 1: it was given up (permanent_error), and nothing in it was wrong",
            id="given up for nothing",
        ),
        pytest.param(
            changed(right(), "messages", 0, recipient="igor@families.example"),
            "it was committed for anna@families.example, and is there for igor@families.example",
            id="another one",
        ),
        pytest.param(replace(right(), done=()), "no worker wrote that it has done anything", id="no logs"),
    ],
)
def test_messages(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


def test_a_commit_without_an_answer_may_have_made_one_message_and_not_two() -> None:
    igor, sent = Message(MAIL, 9, recipient="igor@families.example"), ID.replace(".1.", ".9.")
    books = replace(
        right(),
        messages=(*right().messages, igor),
        mail_log=(*right().mail_log, LoggedMail(9, "sent", 1, "", sent)),
        deliveries=(*right().deliveries, Delivery(igor.recipient, sent, at(11))),
    )
    assert violations(books) == []
    twice = replace(books, messages=(*books.messages, replace(igor, msg_id=10)))
    assert any("1 messages were sent, and there are 2" in one for one in violations(twice))


@pytest.mark.parametrize(
    ("books", "found"),
    [
        pytest.param(changed(right(), "payments", 0, given=2), "it was given 2 times", id="given twice"),
        pytest.param(changed(right(), "payments", 0, told=2), "told 2 times", id="told twice"),
        pytest.param(changed(right(), "payments", 0, packages=2), "2 things by it", id="two packages"),
        pytest.param(changed(right(), "payments", 0, consultations=1), "2 things by it", id="a package and more"),
        pytest.param(
            changed(right(), "payments", 0, given=0, told=0, packages=0), "it is paid, and given 0", id="nothing given"
        ),
        pytest.param(
            changed(right(), "held_payments", 0, status="canceled"), "YooKassa was not paid", id="given for nothing"
        ),
        pytest.param(
            changed(right(), "held_payments", 0, amount=PRICE + Decimal("0.01")),
            "what was paid is 16000.91 by our books and 16000.92",
            id="a kopeck off",
        ),
        pytest.param(
            changed(right(), "held_refunds", 0, amount=PART - Decimal("0.01")),
            "what went back, by refunds, is 5333.10 by our books and 5333.09",
            id="a kopeck of a refund off",
        ),
        pytest.param(
            changed(right(), "payments", 0, refunded=Decimal(0)), "the refunded amount is 5333.10", id="refund unseen"
        ),
        pytest.param(changed(right(), "payments", 0, status="processing"), "the status is completed", id="status"),
        pytest.param(
            changed(right(), "payments", 0, provider_status="pending"), "the status at YooKassa", id="not noticed"
        ),
        pytest.param(changed(right(), "payments", 0, marks=("mismatch",)), "must look at it: mismatch", id="marked"),
        pytest.param(without(right(), "payments", 0), "YooKassa has it, and we do not", id="payment of nobody"),
        pytest.param(without(right(), "held_payments", 0), "YooKassa does not know it", id="made up"),
        pytest.param(
            replace(right(), held_payments=(*right().held_payments, HeldPayment("y2", "p1", PRICE, "pending"))),
            "YooKassa has 2 payments for it",
            id="two payments",
        ),
        pytest.param(without(right(), "refunds", 0), "refund r1: YooKassa has made it", id="refund of nobody"),
        pytest.param(without(right(), "held_refunds", 0), "counts as gone through, and YooKassa", id="refund made up"),
        pytest.param(
            replace(right(), held_refunds=(*right().held_refunds, HeldRefund("z2", "y1", PART, ours="r1"))),
            "YooKassa has made it 2 times",
            id="refunded twice",
        ),
        pytest.param(changed(right(), "refunds", 0, status="requested"), "it has no end", id="refund without an end"),
        pytest.param(changed(right(), "refunds", 0, status="rejected"), "YooKassa refused it", id="refund refused"),
        pytest.param(
            replace(right(), refunds=(*right().refunds, Refund("r2", "p1", PRICE, "rejected"))),
            "refunds of 21334.01 were accepted for 16000.91",
            id="promised more than was paid",
        ),
        pytest.param(
            without(right(), "messages", 1), "0 mails payment_confirmation were asked for instead of 1", id="not told"
        ),
        pytest.param(
            replace(right(), messages=(*right().messages, replace(right().messages[2], msg_id=4))),
            "2 mails payment_refunded were asked for instead of 1",
            id="told of a refund twice",
        ),
        pytest.param(replace(right(), unsettled=1), "1 of YooKassa's are not settled", id="notification left"),
        pytest.param(
            changed(right(), "held_refunds", 0, payment_id="y9"), "the payment at YooKassa is y9", id="of another one"
        ),
        pytest.param(
            replace(
                right(),
                payments=(replace(right().payments[0], refunded=Decimal(0)), Payment("p2", PRICE, refunded=PART)),
            ),
            "payment p2: its refunds make 0.00, and it counts 5333.10",
            id="counted elsewhere",
        ),
    ],
)
def test_money(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (StartedPayment("p2", PRICE), "its customer got the form, and we do not have it"),
        (StartedPayment("p1", PRICE + 1, paid=True), "its customer paid 16001.91, and YooKassa does not say so"),
        (AskedRefund("p1", PART, "r9", accepted=True), "5333.10 was accepted, and our row says otherwise: None"),
        (AskedRefund("p1", PRICE, "r1", accepted=True), "16000.91 was accepted, and our row says otherwise"),
        (SentMessage(PAYMENTS, 77), "payment_processing_queue 77: it was committed"),
    ],
)
def test_what_somebody_was_promised_must_be_there(line: Any, found: str) -> None:
    knows = known()
    knows.note(line)
    assert any(found in one for one in violations(right(), knows))


@pytest.mark.parametrize(
    ("books", "found"),
    [
        pytest.param(changed(right(), "reports", 0, status="failed"), "it was not made: failed", id="failed"),
        pytest.param(changed(right(), "reports", 0, key=""), "counts as stored and has no object", id="no object"),
        pytest.param(replace(right(), objects={"anna/0.pdf": "bb"}), "its object is not in the storage", id="lost"),
        pytest.param(
            replace(right(), objects={"anna/1.pdf": "half"}), "not the document that was made", id="half of a document"
        ),
        pytest.param(replace(right(), leftovers=frozenset()), "anna/0.pdf: no report points to it", id="orphan"),
        pytest.param(
            replace(right(), reports=(*right().reports, Report("d2", key="anna/1.pdf", sha256="aa"))),
            "several reports point to it",
            id="one object for two",
        ),
        pytest.param(
            replace(right(), reports=(), objects={}, leftovers=frozenset()),
            "report_generation_queue 1: it counts as done, and the report that it asked for is not there",
            id="gone with its object",
        ),
        pytest.param(
            replace(changed(right(), "messages", 4, outcome="duplicate"), reports=(), objects={}),
            "report_generation_queue 1: it counts as done",
            id="a duplicate of nothing",
        ),
    ],
)
def test_reports(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)
