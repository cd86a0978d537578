"""Invariant 1: what a commit confirmed has exactly one outcome, and was not tried more often than allowed."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from sandbox.chaos.books import Books, Message
from sandbox.chaos.judging.found import Invariant, Violation
from sandbox.chaos.judging.mails import QUEUE as MAILS
from sandbox.chaos.known import Known

ONLY_AT_THE_LIMIT = ("retries_exhausted", "worker_lost")
OUTCOMES = ("succeeded", "failed", "duplicate")


def judge_messages(books: Books, known: Known) -> Iterator[Violation]:
    found = {(one.queue, one.msg_id): one for one in books.messages}
    for sent in known.messages:
        if sent.msg_id is None:
            continue
        about, message = f"{sent.queue} {sent.msg_id}", found.get((sent.queue, sent.msg_id))
        if message is None:
            yield _violation(about, "it was committed, and is neither queued nor archived: lost")
        elif sent.recipient != message.recipient:
            yield _violation(about, f"it was committed for {sent.recipient}, and is there for {message.recipient}")
    yield from _unconfirmed(books, known)
    done = defaultdict[tuple[str, int], list[int]](list)
    for line in books.done:
        done[line.queue, line.msg_id].append(line.attempt)
    for message in books.messages:
        for what in [*_outcome(message, books), *_attempts(message, done[message.queue, message.msg_id])]:
            yield _violation(f"{message.queue} {message.msg_id}", what)
    if not books.done and any(one.outcome == "succeeded" for one in books.messages):
        yield _violation("logs", "no worker wrote that it has done anything: what they say cannot be compared")
    if books.kept:
        yield _violation("outcomes", f"{books.kept} are kept aside and not written on their messages")


def _unconfirmed(books: Books, known: Known) -> Iterator[Violation]:
    """A commit whose answer was lost may have made its message or not, and never two."""
    made = Counter(one.recipient for one in books.messages if one.recipient)
    asked = Counter(sent.recipient for sent in known.messages if sent.recipient)
    for recipient, times in asked.items():
        if made[recipient] > times:
            yield _violation(recipient, f"{times} messages were sent, and there are {made[recipient]}")


def _outcome(message: Message, books: Books) -> Iterator[str]:
    if message.queued:
        yield f"it is still queued, after {message.attempts} attempts"
    if message.archived > 1 or (message.queued and message.archived):
        yield f"it has {message.archived} rows in the archive and {message.queued} in the queue"
    if message.archived and not message.outcome:
        yield "it is archived without an outcome"
    if message.outcome not in ("", *OUTCOMES):
        yield f"it ended as {message.outcome}, which is no outcome"
    limit = books.limits.get(message.queue)
    if limit is None:
        return
    if message.attempts > limit:
        yield f"it was tried {message.attempts} times of {limit}"
    if message.reason in ONLY_AT_THE_LIMIT and message.attempts < limit:
        yield f"it was given up ({message.reason}) after {message.attempts} attempts of {limit}"
    # Who may be refused for good is what the third invariant says of mails.
    if message.outcome == "failed" and message.reason not in ONLY_AT_THE_LIMIT and message.queue != MAILS:
        yield f"it was given up ({message.reason or 'for no reason'}), and nothing in it was wrong"


def _attempts(message: Message, done: list[int]) -> Iterator[str]:
    """What workers said that they did is what the archive says: the outcome is the word of who owned the message."""
    if message.outcome not in ("", "succeeded") and done:
        yield f"a worker did it at attempt {done[0]}, and it ended as {message.outcome}"
    if len(done) > 1:
        yield f"it was done {len(done)} times, at attempts {', '.join(map(str, sorted(done)))}"
    elif done and message.outcome and done[0] != message.attempts:
        yield f"it was done at attempt {done[0]}, and the archive has {message.attempts}"


def _violation(about: str, what: str) -> Violation:
    return Violation(Invariant.OUTCOME, about, what)
