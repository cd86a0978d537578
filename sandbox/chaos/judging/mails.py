"""Invariant 3: each mail arrived, each copy has the Message-ID of the first, and a fault that explains it."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.chaos.books import Books, Delivery, LoggedMail, Message
from sandbox.chaos.happened import CUTS_OFF, Happened
from sandbox.chaos.judging.found import Invariant, Violation

QUEUE = "email_queue"
# Whom the mail server refuses for good: `sandbox.mailbox.faults`.
REFUSED_FOR_GOOD = "+reject550"
# The Message-ID of our mails names the message that asked for them.
_MESSAGE_ID = re.compile(rf"<{QUEUE}\.(\d+)\.[0-9a-f]+@[^>]+>")
# The time that the mail server notes is that of the whole mail: its attempt began before that.
_BEFORE = timedelta(seconds=1)
# An attempt that was hit says so a little later.
_AFTER = timedelta(seconds=1)
_ENDINGS = {"sent": "succeeded", "failed": "failed", "duplicate": "duplicate"}


@dataclass(frozen=True, slots=True)
class ExplainedCopy:
    """A mail that was delivered again, and the fault that explains it, by its number."""

    msg_id: int
    copy: int
    at: datetime
    fault: int
    kind: str


def judge_mails(books: Books) -> Iterator[Violation]:
    arrived = _by_message(books)
    logged = {row.msg_id: row for row in books.mail_log}
    mails = {one.msg_id: one for one in books.messages if one.queue == QUEUE}
    # Of what a duplicate may be one.
    there = {(one.recipient, one.template) for one in mails.values() if one.outcome == "succeeded"}
    for message in mails.values():
        copies = arrived.get(message.msg_id, [])
        for what in [*_arrival(message, copies), *_log(message, logged.get(message.msg_id), copies)]:
            yield Violation(Invariant.MAIL, f"mail {message.msg_id}", what)
        if message.outcome == "duplicate" and (message.recipient, message.template) not in there:
            what = "it counts as a duplicate, and there is no other mail of its kind to the same recipient"
            yield Violation(Invariant.MAIL, f"mail {message.msg_id}", what)
    for stranger in sorted(logged.keys() - mails.keys()):
        yield Violation(Invariant.MAIL, f"mail {stranger}", "the mail log has it, and no message asked for it")
    for delivery in books.deliveries:
        msg_id = message_of(delivery.message_id)
        if msg_id not in mails:
            why = f"a mail to {_masked(delivery.recipient)} that no message asked for"
            yield Violation(Invariant.MAIL, delivery.message_id, why)


def explain_copies(books: Books, faults: Sequence[Happened]) -> tuple[list[ExplainedCopy], list[Violation]]:
    """Name for each mail after the first of a message the fault that parted the one before from its outcome."""
    messages = {one.msg_id: one for one in books.messages if one.queue == QUEUE}
    explained, found = [], []
    for msg_id, copies in sorted(_by_message(books).items()):
        message = messages.get(msg_id)
        if message is None:
            continue
        for number, (first, second) in enumerate(itertools.pairwise(copies), 2):
            cause = _cause(message, first, second, faults, lease=books.leases.get(QUEUE))
            if cause is None:
                later = (second.at - first.at).total_seconds()
                why = f"copy {number} came {later:.1f} s after the one before, and no fault between them explains it"
                found.append(Violation(Invariant.MAIL, f"mail {msg_id}", why))
            else:
                explained.append(ExplainedCopy(msg_id, number, second.at, cause.number, cause.kind))
    return explained, found


def message_of(message_id: str) -> int | None:
    """The number of the message that a Message-ID names; `None`: none of ours."""
    found = _MESSAGE_ID.fullmatch(message_id)
    return int(found[1]) if found else None


def _by_message(books: Books) -> dict[int, list[Delivery]]:
    found = defaultdict[int, list[Delivery]](list)
    for delivery in sorted(books.deliveries, key=lambda one: one.at):
        msg_id = message_of(delivery.message_id)
        if msg_id is not None:
            found[msg_id].append(delivery)
    return dict(found)


def _arrival(message: Message, copies: list[Delivery]) -> Iterator[str]:
    if message.outcome == "succeeded" and not copies:
        yield "it counts as sent, and the mail server never got it"
    if message.outcome == "failed" and not (
        REFUSED_FOR_GOOD in message.recipient and message.reason == "permanent_error"
    ):
        yield f"it did not arrive: {message.reason} after {message.attempts} attempts"
    if message.outcome == "duplicate" and copies:
        yield f"it counts as the duplicate of another one, and arrived {len(copies)} times"
    ids = {one.message_id for one in copies}
    if len(ids) > 1:
        yield f"its copies have {len(ids)} different Message-IDs"
    astray = {one.recipient for one in copies} - {message.recipient}
    if copies and astray:
        yield f"it went to {', '.join(map(_masked, sorted(astray)))}"


def _log(message: Message, row: LoggedMail | None, copies: list[Delivery]) -> Iterator[str]:
    """Our mail log, the archive and the mail server's store tell the same."""
    if not message.outcome:
        return
    if row is None:
        if message.outcome == "succeeded":
            yield "it was sent, and the mail log does not know it"
        return
    if _ENDINGS.get(row.status) != message.outcome:
        yield f"the mail log says {row.status}, the archive {message.outcome}"
    if row.status in ("sent", "failed") and row.attempts != message.attempts:
        yield f"the mail log has {row.attempts} attempts, the archive {message.attempts}"
    if row.reason != message.reason:
        yield f"the mail log says {row.reason or 'nothing'} of why, the archive {message.reason or 'nothing'}"
    if copies and row.message_id != copies[0].message_id:
        yield f"the mail log has the Message-ID {row.message_id}, the mail server {copies[0].message_id}"


def _cause(
    message: Message, first: Delivery, second: Delivery, faults: Sequence[Happened], *, lease: float | None
) -> Happened | None:
    began_before = [one.started_at for one in message.tries if one.started_at <= first.at]
    since = min(max(began_before, default=first.at), first.at - _BEFORE)

    def in_hand_until(start: datetime) -> datetime:
        """What hits later finds that attempt at an end, whatever came of it."""
        return second.at if lease is None else min(second.at, start + timedelta(seconds=lease) + _AFTER)

    for fault in faults:
        reach = CUTS_OFF.get(fault.kind)
        if reach is None:
            continue
        until = fault.ended + reach.lingers
        if reach.by_pid:
            # It must have hit a process that was at work on this very message.
            hit = [one.started_at for one in message.tries if one.pid in fault.pids]
            if any(start <= until and fault.began <= in_hand_until(start) for start in hit):
                return fault
        elif fault.began <= in_hand_until(since) and since <= until:
            return fault
    return None


def _masked(recipient: str) -> str:
    return f"…@{recipient.rpartition('@')[2]}"
