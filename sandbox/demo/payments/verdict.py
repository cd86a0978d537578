"""Compares what was expected of each payment with what was seen of it. Pure: no database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from sandbox.demo.payments.expectation import ExpectedPayment, Given, State
from sandbox.demo.payments.observation import Money, ObservedPayment, Scenery

# The one that the demo sends from an address that is none of YooKassa's.
REFUSED_NOTIFICATIONS = 1


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """One payment: how it should stand, how it does, and what differs (nothing: all is well)."""

    expected: ExpectedPayment
    observed: ObservedPayment
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaymentFindings:
    """All payments. `disorder` names what is wrong beyond one of them."""

    results: tuple[PaymentResult, ...]
    money: Money
    sent: int
    disorder: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        return len(self.results)

    @property
    def differences(self) -> list[str]:
        found = [f"{each.expected.what}: {line}" for each in self.results for line in each.differences]
        return [*found, *_balance(self.money), *self.disorder]


def judge_payments(expected: Sequence[ExpectedPayment], seen: Scenery, disorder: Sequence[str]) -> PaymentFindings:
    """Compare everything; `disorder` is what was strange while the scenes were played."""
    return PaymentFindings(
        results=tuple(judge_payment(one, seen.payments[one.customer]) for one in expected),
        money=seen.money,
        sent=seen.sent,
        disorder=(
            *disorder,
            *(f"nobody asked for {stranger}" for stranger in seen.strangers),
            *_notifications(seen.notifications),
        ),
    )


def judge_payment(expected: ExpectedPayment, observed: ObservedPayment) -> PaymentResult:
    found = _unequal(
        ("answers to its start", expected.answers, observed.answers),
        ("number of mails", len(expected.mails), observed.mails),
        ("number of rows", 1 if expected.state else 0, len(observed.rows)),
        ("number of payments at YooKassa", 1 if expected.state else 0, len(observed.held)),
    )
    is_given = expected.state is not None and expected.state.given is not Given.NOTHING
    found += _unequal(
        ("number of consultations and packages", 1 if is_given else 0, observed.things),
        ("number of those with a payment", 1 if is_given else 0, observed.paid_things),
    )
    if expected.state and observed.rows:
        found += _state(expected.state, observed.rows[0].state)
        found += _unequal(("number of times that something was given", 1 if is_given else 0, observed.rows[0].gifts))
    for row, held in zip(observed.rows, observed.held, strict=False):
        found += _unequal(
            ("amount at YooKassa", row.amount, held.amount),
            ("status at YooKassa", row.state.provider, held.status),
            ("refunded at YooKassa", row.state.refunded, held.refunded),
        )
    return PaymentResult(expected, observed, tuple(found))


def _state(expected: State, observed: State) -> list[str]:
    names = [field.name for field in fields(State)]
    return _unequal(*((name, getattr(expected, name), getattr(observed, name)) for name in names))


def _balance(money: Money) -> list[str]:
    found = _unequal(
        ("sum of what was paid, by our rows,", f"{money.paid_there:.2f}", f"{money.paid_here:.2f}"),
        ("sum of what went back, by our rows,", f"{money.refunded_there:.2f}", f"{money.refunded_here:.2f}"),
    )
    return found if money.paid_there > 0 else [*found, "nobody paid anything"]


def _notifications(counted: Mapping[str, int]) -> list[str]:
    """Every notification must have been checked, or be known already; one was refused, and none was left or lost."""
    unsettled = [
        f"{counted[status]} notifications are {status}" for status in ("stored", "failed") if status in counted
    ]
    return unsettled + _unequal(("number of refused notifications", REFUSED_NOTIFICATIONS, counted.get("refused", 0)))


def _unequal(*facts: tuple[str, object, object]) -> list[str]:
    return [f"{name} is {str(got)!r} instead of {str(wanted)!r}" for name, wanted, got in facts if wanted != got]
