"""Compares what was expected of each message with what was seen of it. Pure: no database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.message import Outcome
from sandbox.demo.findings import unequal, unlike_archive
from sandbox.demo.mail.messages import Sent
from sandbox.demo.mail.observation import Observed

# How much later than planned a repeat may come: the wake-up, the line, and a machine that is busy.
MOST_LATE_SECONDS = 2.0

_LOG_STATUS = {Outcome.SUCCEEDED: "sent", Outcome.FAILED: "failed", Outcome.DUPLICATE: "duplicate"}


@dataclass(frozen=True, slots=True)
class Result:
    """One message: how it should have ended, how it did, and what differs (nothing: all is well)."""

    sent: Sent
    observed: Observed
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MailFindings:
    """All mail messages.

    `kept` counts the messages sent to queues without a handler; `disorder` names what is wrong beyond one message.
    """

    results: tuple[Result, ...]
    kept: Mapping[str, int]
    disorder: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        return len(self.results)

    @property
    def mails(self) -> int:
        return sum(len(result.observed.mails) for result in self.results)

    @property
    def differences(self) -> list[str]:
        found = [f"message {each.sent.msg_id}: {line}" for each in self.results for line in each.differences]
        return [*found, *self.disorder]


def judge(sent: Sent, observed: Observed, *, scale: float) -> Result:
    """Compare one message; `scale` shortens the planned delays."""
    found = [*_archive(sent, observed), *_mail_log(sent, observed), *_mailbox(sent, observed)]
    found += _delays(sent.expected.delays(scale), observed.delays)
    return Result(sent, observed, tuple(found))


def _archive(sent: Sent, observed: Observed) -> list[str]:
    expected, archived = sent.expected, observed.archived
    if expected.meets_outage and archived is not None:
        # What all of them spent together is judged in the act of the operators.
        expected = replace(expected, attempts=archived.attempts)
    return unlike_archive(expected, archived)


def _mail_log(sent: Sent, observed: Observed) -> list[str]:
    return unequal(("status in the mail log", _LOG_STATUS[sent.expected.outcome], observed.log_status))


def _mailbox(sent: Sent, observed: Observed) -> list[str]:
    expected, mails, tries = sent.expected, observed.mails, observed.tries
    found = []
    if expected.worker_killed:
        # Killed before or after the server took the mail: both may happen, and neither the server nor we can tell.
        if not 1 <= len(mails) <= expected.attempts:
            found.append(f"{len(mails)} mails arrived instead of 1 or 2")
    else:
        found += unequal(
            ("number of mails", expected.mails, len(mails)), ("number of tries", expected.tries, len(tries))
        )
    if len({attempt.message_id for attempt in tries}) > 1:
        found.append("its tries have different Message-IDs")
    # A subject that is folded right after its name is read with the blank of the fold.
    found += [
        line
        for mail in mails
        for line in unequal(
            ("recipient", expected.recipient, mail.recipient), ("subject", sent.subject, mail.subject.strip())
        )
    ]
    return found


def _delays(planned: Sequence[float], seen: Sequence[float]) -> list[str]:
    return [
        f"delay {number} was {actual:.2f} s instead of {delay:g} s"
        for number, (delay, actual) in enumerate(zip(planned, seen, strict=False), start=1)
        if not delay <= actual <= delay + MOST_LATE_SECONDS
    ]
