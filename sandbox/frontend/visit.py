"""One payment as a customer's tab lives through it, its steps in whatever order, left out, late or doubled."""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from itertools import permutations
from typing import Self

from sandbox.frontend.answer import Answer
from sandbox.frontend.order import Order
from sandbox.frontend.tab import Tab


class Step(Enum):
    """In the usual order. `PAID` and `NOTIFIED` happen at the provider's, the others in the tab."""

    ROW = "the tab inserts its own row"
    CREATE = "the tab asks for the payment form"
    PAID = "the customer pays in the form"
    NOTIFIED = "the provider notifies us"
    VERIFY = "the tab verifies its own id"
    BOOK = "the tab inserts the consultation, whatever the answer said"


# What cannot come before what.
_AFTER = ((Step.CREATE, Step.PAID), (Step.PAID, Step.NOTIFIED))


class Visit:
    """`pay` and `notify` get the payment's id of ours. Steps that lack what they need are left out, as in a tab."""

    def __init__(
        self, tab: Tab, order: Order, *, pay: Callable[[str], None], notify: Callable[[str], None] = lambda _: None
    ) -> None:
        self.tab = tab
        self.order = order
        # Ids of what the tab wrote, and of what `create` answered.
        self.rows: list[str] = []
        self.bookings: list[str] = []
        self.payments: list[str] = []
        self.answers: list[Answer] = []
        self._pay = pay
        self._notify = notify

    @property
    def own_id(self) -> str:
        """What the tab takes for the payment: the row that it inserted itself."""
        return (self.rows or self.payments or [""])[-1]

    def play(self, steps: Iterable[Step] = tuple(Step)) -> Self:
        for step in steps:
            self.do(step)
        return self

    def do(self, step: Step) -> None:
        match step:
            case Step.ROW:
                self.rows.append(self.tab.insert_payment(self.order))
            case Step.CREATE:
                answer = self._answered(self.tab.create(self.order))
                self.payments += [answer.payment_id] if answer.payment_id else []
            case Step.PAID if self.payments:
                self._pay(self.payments[-1])
            case Step.NOTIFIED if self.payments:
                self._notify(self.payments[-1])
            case Step.VERIFY if self.own_id:
                self._answered(self.tab.verify(self.own_id))
            case Step.BOOK if self.order.books_itself:
                self.bookings.append(self.tab.book(self.order))

    def _answered(self, answer: Answer) -> Answer:
        self.answers.append(answer)
        return answer


def every_order(steps: Iterable[Step] = tuple(Step)) -> Iterator[tuple[Step, ...]]:
    """Every order in which these steps can come: paid only what was started, notified only what was paid."""
    for order in permutations(steps):
        if all(first not in order or order.index(first) < order.index(then) for first, then in _AFTER if then in order):
            yield order
