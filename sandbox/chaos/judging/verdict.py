"""All invariants together, and what they found."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.chaos.books import Books
from sandbox.chaos.happened import Happened
from sandbox.chaos.judging.found import Violation
from sandbox.chaos.judging.mails import ExplainedCopy, explain_copies, judge_mails
from sandbox.chaos.judging.messages import judge_messages
from sandbox.chaos.judging.money import judge_money
from sandbox.chaos.judging.reports import judge_reports
from sandbox.chaos.known import Known


@dataclass(frozen=True, slots=True)
class Verdict:
    """`copies` are second mails that a fault explains: what at least once costs."""

    violations: tuple[Violation, ...]
    copies: tuple[ExplainedCopy, ...]


def judge(books: Books, known: Known, faults: Sequence[Happened]) -> Verdict:
    """Everything that is wrong: each message, payment, mail and report, and what nobody asked for."""
    copies, unexplained = explain_copies(books, faults)
    found = [
        *judge_messages(books, known),
        *judge_money(books, known),
        *judge_mails(books),
        *unexplained,
        *judge_reports(books),
    ]
    return Verdict(tuple(found), tuple(copies))
