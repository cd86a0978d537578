"""The checker of `./dev chaos` on made-up books: says nothing of what is right, and finds each thing that is wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    Try,
)
from sandbox.chaos.happened import CUTS_OFF, Happened
from sandbox.chaos.judging.verdict import judge
from sandbox.chaos.known import AskedRefund, Known, SentMessage, StartedPayment
from sandbox.chaos.schedule import KINDS

START = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
MAIL, PAYMENTS = "email_queue", "payment_processing_queue"
ANNA, PAYER = "anna@families.example", "payer@families.example"
ID = "<email_queue.1.0123456789abcdef@example.org>"
PRICE, PART = Decimal("16000.91"), Decimal("5333.10")
WORKER, SIBLING = 700, 701


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def right() -> Books:
    """A mail that arrived, a payment of which a part went back, a report: everything as it must be."""
    return Books(
        messages=(
            Message(MAIL, 1, tries=(Try(1, at(10), WORKER),), recipient=ANNA, template="payment_failed"),
            Message(MAIL, 2, recipient=PAYER, template="payment_confirmation", about="p1"),
            Message(MAIL, 3, recipient=PAYER, template="payment_refunded", about="p1"),
            Message(PAYMENTS, 1),
        ),
        deliveries=(
            Delivery(ANNA, ID, at(11)),
            *(Delivery(PAYER, ID.replace(".1.", f".{number}."), at(11)) for number in (2, 3)),
        ),
        mail_log=tuple(LoggedMail(n, "sent", 1, "", ID.replace(".1.", f".{n}.")) for n in (1, 2, 3)),
        done=(Done(MAIL, 1, 1), Done(PAYMENTS, 1, 1)),
        payments=(Payment("p1", PRICE, external_id="y1", refunded=PART),),
        refunds=(Refund("r1", "p1", PART, external_id="z1"),),
        held_payments=(HeldPayment("y1", "p1", PRICE, refunded=PART),),
        held_refunds=(HeldRefund("z1", "y1", PART, ours="r1"),),
        reports=(Report("d1", key="anna/1.pdf", sha256="aa"),),
        objects={"anna/1.pdf": "aa", "anna/0.pdf": "bb"},
        leftovers=frozenset({"anna/0.pdf"}),
        limits={MAIL: 6, PAYMENTS: 6},
    )


def known() -> Known:
    return Known(
        messages=[SentMessage(MAIL, 1, ANNA), SentMessage(MAIL, None, "igor@families.example")],
        payments=[StartedPayment("p1", PRICE, paid=True)],
        refunds=[AskedRefund("p1", PART, "r1", accepted=True), AskedRefund("p1", PRICE)],
    )


def violations(books: Books, knows: Known | None = None, faults: tuple[Happened, ...] = ()) -> list[str]:
    return [str(one) for one in judge(books, knows or known(), faults).violations]


def changed(books: Books, member: str, place: int, **changes: Any) -> Books:
    """The books with one line that reads otherwise."""
    lines = list(getattr(books, member))
    lines[place] = replace(lines[place], **changes)
    return with_lines(books, member, lines)


def without(books: Books, member: str, place: int) -> Books:
    lines = list(getattr(books, member))
    del lines[place]
    return with_lines(books, member, lines)


def with_lines(books: Books, member: str, lines: list[Any]) -> Books:
    changes: dict[str, Any] = {member: tuple(lines)}
    return replace(books, **changes)


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
        pytest.param(replace(right(), done=()), "no worker wrote that it has done anything", id="no logs"),
    ],
)
def test_messages(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


def test_a_commit_without_an_answer_may_have_made_one_message_and_not_two() -> None:
    igor = Message(MAIL, 9, outcome="duplicate", recipient="igor@families.example")
    logged = LoggedMail(9, "duplicate", 1, "", "")
    books = replace(right(), messages=(*right().messages, igor), mail_log=(*right().mail_log, logged))
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
        pytest.param(without(right(), "deliveries", 0), "the mail server never got it", id="not arrived"),
        pytest.param(
            changed(right(), "messages", 0, outcome="failed", reason="retries_exhausted", attempts=6),
            "it did not arrive: retries_exhausted",
            id="given up",
        ),
        pytest.param(
            changed(right(), "deliveries", 0, recipient="igor@x.example"), "it went to …@x.example", id="astray"
        ),
        pytest.param(
            changed(right(), "deliveries", 0, message_id="<email_queue.99.0123456789abcdef@example.org>"),
            "a mail to …@families.example that no message asked for",
            id="nobody asked for it",
        ),
        pytest.param(
            changed(right(), "deliveries", 0, message_id="<made@up>"), "that no message asked for", id="unknown id"
        ),
        pytest.param(changed(right(), "mail_log", 0, attempts=2), "the mail log has 2 attempts", id="attempts differ"),
        pytest.param(changed(right(), "mail_log", 0, status="sending"), "the mail log says sending", id="log left"),
        pytest.param(
            changed(right(), "mail_log", 0, reason="refused"), "the mail log says refused", id="reasons differ"
        ),
        pytest.param(changed(right(), "mail_log", 0, message_id="<x@y>"), "has the Message-ID <x@y>", id="ids differ"),
        pytest.param(without(right(), "mail_log", 0), "the mail log does not know it", id="not logged"),
        pytest.param(
            changed(right(), "messages", 0, outcome="duplicate"), "the duplicate of another one, and arrived", id="both"
        ),
    ],
)
def test_mails(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


def test_whom_the_mail_server_refuses_for_good_gets_no_mail() -> None:
    refused = Message(MAIL, 8, outcome="failed", reason="permanent_error", recipient="x+reject550@families.example")
    logged = LoggedMail(8, "failed", 1, "permanent_error", "")
    books = replace(right(), messages=(*right().messages, refused), mail_log=(*right().mail_log, logged))
    assert violations(books) == []
    healthy = changed(books, "messages", -1, recipient="x@families.example")
    assert any("it did not arrive: permanent_error" in one for one in violations(healthy))


def copied(*, second: float = 20, message_id: str = ID) -> Books:
    """The mail came a second time: the first attempt was lost, the next one was made by a sibling."""
    tries = (Try(1, at(10), WORKER, is_lost=True), Try(2, at(19), SIBLING))
    books = changed(right(), "messages", 0, attempts=2, tries=tries)
    books = changed(books, "mail_log", 0, attempts=2)
    return replace(
        books,
        done=(Done(MAIL, 1, 2), Done(PAYMENTS, 1, 1)),
        deliveries=(*books.deliveries, Delivery(ANNA, message_id, at(second))),
    )


def fault(kind: str, began: float, ended: float, *pids: int, number: int = 7) -> Happened:
    return Happened(number, kind, "", at(began), at(ended), frozenset(pids))


@pytest.mark.parametrize(
    "cause",
    [
        fault("child_kill", 11.5, 11.5, WORKER),
        fault("worker_stop", 10.5, 21, WORKER, 1, 2),
        fault("worker_kill", 12, 12, 1, WORKER),
        # Nobody's process: it was away for everybody.
        fault("postgres_immediate", 11, 12),
        fault("mail_kill", 10.8, 12),
    ],
)
def test_a_copy_is_explained_by_the_fault_between_the_two_and_named_by_its_number(cause: Happened) -> None:
    others = (fault("beat_kill", 11, 11, number=1), fault("child_kill", 11, 11, 999, number=2))
    verdict = judge(copied(), known(), (*others, cause))
    assert verdict.violations == ()
    assert [(one.msg_id, one.copy, one.fault, one.kind) for one in verdict.copies] == [(1, 2, 7, cause.kind)]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param((), id="no fault at all"),
        pytest.param((fault("child_kill", 11.5, 11.5, 999),), id="another process was killed"),
        pytest.param((fault("child_kill", 20.5, 20.5, WORKER),), id="killed after the copy"),
        pytest.param((fault("child_kill", 5, 5, WORKER),), id="killed before the first attempt"),
        pytest.param((fault("postgres_fast", 2, 4),), id="Postgres was back long before"),
        pytest.param((fault("mail_outage", 30, 35),), id="the mail server went later"),
        pytest.param((fault("broker_double", 9, 21),), id="a doubled task must be found stale"),
        pytest.param((fault("bridge_kill", 9, 21, WORKER),), id="a bridge sends no mail"),
        pytest.param((fault("queue_paused", 9, 21),), id="a pause ends no attempt"),
    ],
)
def test_a_copy_without_an_explanation_is_found(faults: tuple[Happened, ...]) -> None:
    found = violations(copied(), faults=faults)
    assert found == [
        "invariant 3: mail 1: copy 2 came 9.0 s after the one before, and no fault between them explains it"
    ]


def test_a_copy_with_another_message_id_is_found_whatever_explains_it() -> None:
    other = ID.replace("0123456789abcdef", "fedcba9876543210")
    found = violations(copied(message_id=other), faults=(fault("child_kill", 11.5, 11.5, WORKER),))
    assert found == ["invariant 3: mail 1: its copies have 2 different Message-IDs"]


def test_each_of_three_copies_needs_a_fault_of_its_own_time() -> None:
    books = copied()
    books = replace(books, deliveries=(*books.deliveries, Delivery(ANNA, ID, at(30))))
    verdict = judge(books, known(), (fault("mail_kill", 11, 12),))
    assert [one.copy for one in verdict.copies] == [2]
    assert [str(one) for one in verdict.violations] == [
        "invariant 3: mail 1: copy 3 came 10.0 s after the one before, and no fault between them explains it"
    ]


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
    ],
)
def test_reports(books: Books, found: str) -> None:
    assert any(found in one for one in violations(books)), violations(books)


def test_only_faults_that_can_be_scheduled_explain_anything() -> None:
    assert {kind.name for kind in KINDS} >= CUTS_OFF.keys()
