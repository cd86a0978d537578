"""Looks at what became of the payments: in our rows, in Supabase's, at the till and in the mailbox."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from sandbox.demo.payments.browser import Browser
from sandbox.demo.payments.customers import CUSTOMERS, Customer
from sandbox.demo.payments.expectation import Given, State
from sandbox.demo.payments.queries import CUSTOMER_IDS, NOTIFICATIONS, PAYMENTS, STRANGERS, THINGS, read
from sandbox.demo.payments.till import Held, Till
from sandbox.mailbox import MailStore, Verdict

_GIVEN = {
    ("appointment", "made"): Given.BOOKED,
    ("appointment", "linked"): Given.LINKED,
    ("package", "made"): Given.PACKAGE,
}


@dataclass(frozen=True, slots=True)
class Row:
    """Supabase's row of a payment, with ours. `gifts` counts how often something was given for it."""

    id: str
    amount: Decimal
    state: State
    gifts: int


@dataclass(frozen=True, slots=True)
class ObservedPayment:
    """What can be seen of a customer. `things` are all consultations and packages, `paid_things` those with a payment;
    `held` is what the till has for `rows`. `mails` counts those that arrived.
    """

    answers: tuple[int, ...] = ()
    rows: tuple[Row, ...] = ()
    held: tuple[Held, ...] = ()
    things: int = 0
    paid_things: int = 0
    mails: int = 0

    @property
    def state(self) -> State | None:
        return self.rows[0].state if self.rows else None


@dataclass(frozen=True, slots=True)
class Money:
    """What was paid and what went back, in rubles: by our rows, and by the till's own."""

    paid_here: Decimal
    refunded_here: Decimal
    paid_there: Decimal
    refunded_there: Decimal


@dataclass(frozen=True, slots=True)
class Scenery:
    """Everything at one moment. `notifications` counts our rows of them by status, `sent` the till's tries."""

    payments: Mapping[Customer, ObservedPayment]
    money: Money
    strangers: tuple[str, ...]
    notifications: Mapping[str, int]
    sent: int


class PaymentObserver:
    """Looks from the moment on in which it is made."""

    def __init__(self, mailbox: MailStore, till: Till) -> None:
        self._mailbox, self._till = mailbox, till
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            self._since: datetime = cursor.fetchone()[0]

    def statuses(self) -> dict[str, str]:
        """The statuses of the customers' rows in Supabase, by customer's id."""
        return {row["user_id"]: row["status"] for row in read(PAYMENTS, customers=CUSTOMER_IDS)}

    def observe(self, browsers: Sequence[Browser]) -> Scenery:
        rows, held = self._payments(), self._till.payments()
        things = Counter(tuple(row.values()) for row in read(THINGS, customers=CUSTOMER_IDS))
        accepted = (one.recipient for one in self._mailbox.attempts() if one.verdict is Verdict.ACCEPTED)
        mails, answers = Counter(accepted), {browser.customer: tuple(browser.answers) for browser in browsers}
        seen = {
            customer: ObservedPayment(
                answers=answers.get(customer, ()),
                rows=tuple(rows[customer.id]),
                held=tuple(one for one in held if one.payment_id in {row.id for row in rows[customer.id]}),
                things=things[customer.id, True] + things[customer.id, False],
                paid_things=things[customer.id, True],
                mails=mails[customer.email],
            )
            for customer in CUSTOMERS
        }
        return Scenery(
            payments=seen,
            money=self._money(rows, held),
            strangers=tuple(self._strangers(rows, held)),
            notifications={row["status"]: row["count"] for row in read(NOTIFICATIONS, since=self._since)},
            sent=len(self._till.notifications()),
        )

    def _payments(self) -> defaultdict[str, list[Row]]:
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in read(PAYMENTS, customers=CUSTOMER_IDS):
            state = State(
                status=row["status"],
                provider=row["provider"],
                given=_GIVEN.get((row["kind"], row["how"]), Given.NOTHING),
                attention=row["attention"],
                refunds=row["refunds"],
                refunded=row["refunded"],
                corrections=row["corrections"],
            )
            found[row["user_id"]].append(Row(row["id"], row["amount"], state, row["gifts"]))
        return found

    def _money(self, rows: Mapping[str, list[Row]], held: Sequence[Held]) -> Money:
        ours = [row for found in rows.values() for row in found]
        return Money(
            paid_here=_sum(row.amount for row in ours if row.state.provider == "succeeded"),
            refunded_here=_sum(row.state.refunded for row in ours),
            paid_there=_sum(one.paid for one in held),
            refunded_there=self._till.refunded(),
        )

    def _strangers(self, rows: Mapping[str, list[Row]], held: Sequence[Held]) -> list[str]:
        ids = [row.id for found in rows.values() for row in found]
        ours = read(STRANGERS, since=self._since, customers=CUSTOMER_IDS, payments=ids)
        theirs = [f"the payment {one.id} at YooKassa" for one in held if one.payment_id not in ids]
        return [*(text for row in ours for text in row.values()), *theirs]


def _sum(amounts: Any) -> Decimal:
    return sum(amounts, Decimal(0))
