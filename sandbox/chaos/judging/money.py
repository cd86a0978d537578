"""Invariant 2: what was paid is given once, and our books say to the kopeck what YooKassa's say."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from sandbox.chaos.books import Books, HeldPayment, HeldRefund, Message, Payment, Refund
from sandbox.chaos.judging.found import Invariant, Violation
from sandbox.chaos.known import Known

PAID, HOLDING = "succeeded", ("requested", "pending", "succeeded")
STATUS = {"pending": "processing", "waiting_for_capture": "processing", "succeeded": "completed", "canceled": "failed"}
CONFIRMATION, REFUNDED = "payment_confirmation", "payment_refunded"


def judge_money(books: Books, known: Known) -> Iterator[Violation]:
    held = defaultdict[str, list[HeldPayment]](list)
    for one in books.held_payments:
        held[one.payment_id].append(one)
    mails = Counter((one.about, one.template) for one in books.messages if one.about)
    ours = {payment.id: payment for payment in books.payments}
    back = defaultdict[str, Decimal](Decimal)
    for refund in books.refunds:
        if refund.status == PAID:
            back[refund.payment_id] += refund.amount
    for payment in books.payments:
        theirs = held.get(payment.id, [])
        if back[payment.id] != payment.refunded:
            what = f"its refunds make {back[payment.id]:.2f}, and it counts {payment.refunded:.2f}"
            yield _violation(f"payment {payment.id}", what)
        for what in [*_payment(payment, theirs), *_gift(payment, theirs), *_told(payment, books, mails)]:
            yield _violation(f"payment {payment.id}", what)
    for payment_id in sorted(held.keys() - ours.keys()):
        yield _violation(f"payment {payment_id or 'of nobody'}", "YooKassa has it, and we do not")
    yield from _customers(books, known, held)
    yield from _refunds(books, known)
    yield from _sums(books)
    if books.unsettled:
        yield _violation("notifications", f"{books.unsettled} of YooKassa's are not settled")


def _payment(payment: Payment, theirs: list[HeldPayment]) -> Iterator[str]:
    if not theirs:
        if payment.external_id:
            yield f"we have it as {payment.external_id}, and YooKassa does not know it"
        return
    if len(theirs) > 1:
        yield f"YooKassa has {len(theirs)} payments for it"
    held = next((one for one in theirs if one.id == payment.external_id), theirs[0])
    yield from _unequal(
        ("id at YooKassa", held.id, payment.external_id),
        ("amount", held.amount, payment.amount),
        ("status at YooKassa", held.status, payment.provider_status),
        ("refunded amount", held.refunded, payment.refunded),
    )
    refunded = held.status == PAID and held.refunded >= held.amount
    yield from _unequal(("status", "refunded" if refunded else STATUS.get(held.status, ""), payment.status))
    if held.refunded > held.amount:
        yield f"{held.refunded} of {held.amount} went back"


def _gift(payment: Payment, theirs: list[HeldPayment]) -> Iterator[str]:
    """Given at most once, and exactly once where YooKassa says paid, unless all of it went back before."""
    paid = any(one.status == PAID for one in theirs)
    things = payment.packages + payment.consultations
    counts = (payment.given, payment.told, things)
    if max(counts) > 1:
        yield f"it was given {payment.given} times, told {payment.told} times, and its payer has {things} things by it"
    if not paid and any(counts):
        yield "something was given for it, and YooKassa was not paid"
    if paid and not all(counts) and payment.refunded < payment.amount:
        yield f"it is paid, and given {payment.given}, told {payment.told}, there {things} times"
    if payment.marks:
        yield f"a person must look at it: {', '.join(payment.marks)}"


def _told(payment: Payment, books: Books, mails: Counter[tuple[str, str]]) -> Iterator[str]:
    """One mail for what was paid, and one for each refund that went through."""
    paid = payment.provider_status == PAID
    refunds = sum(one.payment_id == payment.id and one.status == PAID for one in books.refunds)
    for template, right in ((CONFIRMATION, int(paid)), (REFUNDED, refunds)):
        asked = mails[payment.id, template]
        if asked != right:
            yield f"{asked} mails {template} were asked for instead of {right}"


def _customers(books: Books, known: Known, held: dict[str, list[HeldPayment]]) -> Iterator[Violation]:
    ours = {payment.id for payment in books.payments}
    for started in known.payments:
        about = f"payment {started.payment_id}"
        if started.payment_id not in ours:
            yield _violation(about, "its customer got the form, and we do not have it: lost")
        theirs = held.get(started.payment_id, [])
        if started.paid and not any(one.status == PAID and one.amount == started.amount for one in theirs):
            yield _violation(about, f"its customer paid {started.amount}, and YooKassa does not say so")


def _refunds(books: Books, known: Known) -> Iterator[Violation]:
    held = defaultdict[str, list[HeldRefund]](list)
    for one in books.held_refunds:
        held[one.ours].append(one)
    rows = {refund.id: refund for refund in books.refunds}
    external = {payment.id: payment.external_id for payment in books.payments}
    for refund in books.refunds:
        for what in _refund(refund, held.get(refund.id, []), of=external.get(refund.payment_id, "")):
            yield _violation(f"refund {refund.id}", what)
    for ours in sorted(held.keys() - rows.keys()):
        yield _violation(f"refund {ours or 'of nobody'}", "YooKassa has made it, and we do not have it")
    for asked in known.refunds:
        row = rows.get(asked.refund_id)
        if asked.accepted and (row is None or row.amount != asked.amount or row.payment_id != asked.payment_id):
            yield _violation(
                f"refund {asked.refund_id}", f"{asked.amount} was accepted, and our row says otherwise: {row}"
            )
    yield from _promised(books)


def _refund(refund: Refund, theirs: list[HeldRefund], *, of: str) -> Iterator[str]:
    if refund.status in ("requested", "pending"):
        yield f"it has no end: {refund.status}"
    if refund.status == "rejected":
        yield "we accepted it, and YooKassa refused it"
    if len(theirs) > 1:
        yield f"YooKassa has made it {len(theirs)} times"
    if theirs:
        yield from _unequal(
            ("amount", theirs[0].amount, refund.amount),
            ("status", theirs[0].status, refund.status),
            ("id at YooKassa", theirs[0].id, refund.external_id),
            ("payment at YooKassa", theirs[0].payment_id, of),
        )
    elif refund.status == PAID:
        yield "it counts as gone through, and YooKassa does not know it"


def _promised(books: Books) -> Iterator[Violation]:
    """No more was promised to go back than was paid, whoever would have refused it later."""
    amounts = {payment.id: payment.amount for payment in books.payments}
    promised = defaultdict[str, Decimal](Decimal)
    for refund in books.refunds:
        if refund.status in (*HOLDING, "rejected"):
            promised[refund.payment_id] += refund.amount
    for payment_id, sum_ in promised.items():
        if sum_ > amounts.get(payment_id, Decimal(0)):
            paid = amounts.get(payment_id, Decimal(0))
            yield _violation(f"payment {payment_id}", f"refunds of {sum_} were accepted for {paid} that were paid")


def _sums(books: Books) -> Iterator[Violation]:
    paid_here = _sum(one.amount for one in books.payments if one.provider_status == PAID)
    paid_there = _sum(one.amount for one in books.held_payments if one.status == PAID)
    back_here = _sum(one.amount for one in books.refunds if one.status == PAID)
    back_there = _sum(one.amount for one in books.held_refunds if one.status == PAID)
    counted_here = _sum(one.refunded for one in books.payments)
    for what, here, there in (
        ("what was paid", paid_here, paid_there),
        ("what went back, by refunds,", back_here, back_there),
        ("what went back, by payments,", counted_here, back_there),
    ):
        if here != there:
            yield _violation("sums", f"{what} is {here:.2f} by our books and {there:.2f} by YooKassa's")


def sums(books: Books) -> dict[str, str]:
    """What was paid and what went back, by YooKassa's books, in rubles."""
    return {
        "paid": f"{_sum(one.amount for one in books.held_payments if one.status == PAID):.2f}",
        "refunded": f"{_sum(one.amount for one in books.held_refunds if one.status == PAID):.2f}",
    }


def asked_mails(messages: Iterable[Message]) -> Counter[str]:
    """How many mails of which kind were asked for."""
    return Counter(one.template for one in messages if one.template)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _unequal(*facts: tuple[str, object, object]) -> list[str]:
    return [f"the {name} is {there} at YooKassa and {here} here" for name, there, here in facts if there != here]


def _violation(about: str, what: str) -> Violation:
    return Violation(Invariant.MONEY, about, what)
