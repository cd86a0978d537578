"""What a scenario is made of: steps of somebody outside, and how each message that they make must end."""

from dataclasses import dataclass
from typing import Any

from bridge.message import Outcome, Reason
from sandbox.demo.archive import ending
from sandbox.demo.reports.expectation import ExpectedReport


@dataclass(frozen=True, slots=True)
class Expected:
    """How one message must end.

    `attempts` counts executions, `tries` those that the mail server hears of. `template` and `recipient` are empty for
    a message that has none. Of those that meet an outage some spend an attempt on it, and chance decides which.
    """

    template: str
    recipient: str
    outcome: Outcome = Outcome.SUCCEEDED
    reason: Reason | None = None
    attempts: int = 1
    tries: int = 1
    worker_killed: bool = False
    meets_outage: bool = False

    @property
    def mails(self) -> int:
        return 1 if self.outcome is Outcome.SUCCEEDED else 0

    def delays(self, scale: float) -> tuple[float, ...]:
        """Seconds between the tries: 1, 2, 4, 8 … times `scale`; none where a lease decides about the repeat."""
        return () if self.worker_killed else tuple(2.0**number * scale for number in range(self.tries - 1))

    def __str__(self) -> str:
        match self.outcome:
            case Outcome.SUCCEEDED if self.worker_killed:
                return "sent after a kill"
            case Outcome.SUCCEEDED if self.meets_outage:
                return "sent after an outage"
            case Outcome.SUCCEEDED | Outcome.FAILED | Outcome.DUPLICATE:
                return ending(self.outcome, self.reason or "", self.attempts)


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of somebody outside. `expects` are the mail messages it makes, `reports` the report messages,
    both in any order.

    `kept` is how many messages it puts into each of the queues that nobody drains. A `quiet` step waits until the
    messages of all steps before it have ended, except the one whose worker was killed.
    """

    title: str
    statements: tuple[Statement, ...]
    expects: tuple[Expected, ...] = ()
    reports: tuple[ExpectedReport, ...] = ()
    kept: int = 0
    kills_worker: bool = False
    quiet: bool = False

    @property
    def follows(self) -> tuple[Expected, ...]:
        """The mail messages that come later, from our own worker: it announces each report that it has stored."""
        return tuple(Expected("report_ready", report.family.email) for report in self.reports if report.is_made)
