"""How a payment must stand at the end, for us, for YooKassa and for the customer."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sandbox.demo.mail.expectation import Expected
from sandbox.demo.payments.customers import Customer


class Given(StrEnum):
    """What a customer got: a consultation that we booked, one that was booked before, a package."""

    NOTHING = ""
    BOOKED = "booked"
    LINKED = "linked"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class State:
    """`status` is the one in Supabase's row, `provider` YooKassa's. `refunds` went through, `refunded` is their sum.

    `corrections` counts how often we found something that somebody else had written into the row.
    """

    status: str
    provider: str
    given: Given = Given.NOTHING
    attention: str = ""
    refunds: int = 0
    refunded: Decimal = Decimal(0)
    corrections: int = 0

    def __str__(self) -> str:
        words = [f"{self.status} in {self.refunds}" if self.refunds else self.status, self.given, self.attention]
        return ", ".join(word for word in (*words, "corrected" if self.corrections else "") if word)


@dataclass(frozen=True, slots=True)
class ExpectedPayment:
    """`answers` are the statuses of the calls that start it; `state` is `None` when there must be no payment at all.

    `mails` are the templates of the mails that reach the customer, in any order.
    """

    what: str
    customer: Customer
    state: State | None
    mails: tuple[str, ...] = ()
    answers: tuple[int, ...] = (200,)

    @property
    def messages(self) -> tuple[Expected, ...]:
        return tuple(Expected(template, self.customer.email) for template in self.mails)

    def __str__(self) -> str:
        return str(self.state or f"refused ({', '.join(map(str, self.answers))})")
