"""Made-up books for the checker of `./dev chaos`, in which everything is right, and ways to make a line wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

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
from sandbox.chaos.happened import Happened
from sandbox.chaos.judging.verdict import judge
from sandbox.chaos.known import AskedRefund, Known, SentMessage, StartedPayment

START = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
MAIL, PAYMENTS, REPORTS = "email_queue", "payment_processing_queue", "report_generation_queue"
ANNA, PAYER = "anna@families.example", "payer@families.example"
ID = "<email_queue.1.0123456789abcdef@example.org>"
PRICE, PART = Decimal("16000.91"), Decimal("5333.10")
WORKER, SIBLING = 700, 701
LEASE = 8.0
CHECKUP = "a1 anna pdf"


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
            Message(REPORTS, 1, report=CHECKUP),
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
        reports=(Report("d1", key="anna/1.pdf", sha256="aa", about=CHECKUP),),
        objects={"anna/1.pdf": "aa", "anna/0.pdf": "bb"},
        leftovers=frozenset({"anna/0.pdf"}),
        limits={MAIL: 6, PAYMENTS: 6, REPORTS: 4},
        leases={MAIL: LEASE},
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
