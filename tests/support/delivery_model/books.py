"""Whether whoever moved between two looks at Postgres was allowed to change it so.

This is the protocol once more, said by what may become of a row and not by how it is done.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from bridge.queues import registry
from bridge.worker.together import LOOK_SECONDS
from sandbox.probe.apps import QUEUE
from tests.support.delivery_model.clock import Clock
from tests.support.delivery_model.page import Page, Row, look
from tests.support.delivery_model.stage import Process, microseconds


class Violation(AssertionError):
    """An invariant of the protocol does not hold."""


class Decision(Enum):
    """How a handler ends."""

    SUCCEED = auto()
    ANSWERED = auto()
    FAIL = auto()
    AWAY = auto()
    NOT_YET = auto()
    PERMANENT = auto()
    REFUSED = auto()
    DUPLICATE = auto()


_ENDS = {
    Decision.SUCCEED: ("succeeded", None),
    Decision.ANSWERED: ("succeeded", None),
    Decision.FAIL: ("failed", "retries_exhausted"),
    Decision.AWAY: ("failed", "retries_exhausted"),
    Decision.PERMANENT: ("failed", "permanent_error"),
    Decision.REFUSED: ("failed", "refused"),
    Decision.DUPLICATE: ("duplicate", None),
}
_REPEATED = {Decision.FAIL, Decision.AWAY}
_UNCOUNTED = {Decision.NOT_YET, Decision.AWAY}


@dataclass
class Books:
    """Compares each page with the one before.

    `outcomes` are those of all messages that have ended, deleted or not; `met` counts what has happened.
    """

    clock: Clock
    page: Page = field(default_factory=look)
    outcomes: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    _held_since: float | None = None
    # Of when the page is.
    _seen: tuple[int, float] | None = None

    def check(self, moved: Collection[Process], *, waited: Collection[Process] = ()) -> None:
        """Turn the page. `moved` are those who did anything, and `waited` those of them that had begun before."""
        before_seen, self._seen = self._seen, (Process.acts, self.clock.passed)
        if self._seen == before_seen and not waited:
            # They came to their first statement, or from a handler to the next one: Postgres was asked for nothing.
            return
        before, self.page = self.page, look()
        if not self.page.holds_back(0):
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self.clock.passed
        for msg_id, was in before.queue.items():
            row, ended = self.page.queue.get(msg_id), self.page.archive.get(msg_id)
            if row is not None and ended is not None:
                raise Violation(f"{msg_id} is in the queue and in the archive")
            if row is None and ended is None:
                raise Violation(f"{msg_id} is lost")
            by = _Hands(msg_id, was, before, self.page, moved, waited)
            if ended is not None:
                self.outcomes[msg_id] = by.ended_it(ended)
                self.met["ended as " + (self.outcomes[msg_id][1] or self.outcomes[msg_id][0])] += 1
            elif row is not None and row != was:
                self.met[by.changed_it(row)] += 1
        self._check_archive(before, moved)
        self._check_new(before, moved)
        self._check_effects()
        self.met["an outcome was kept"] += len(self.page.kept.keys() - before.kept.keys())

    def check_start(self, process: Process, others: Collection[Process]) -> None:
        """Whether a process that has just begun to work on a message may do so."""
        message = process.message
        if message is None:
            raise Violation(f"{process.name} works on nothing")
        row = self.page.queue.get(message.msg_id)
        if row is None or row.vt != microseconds(message.token.vt):
            raise Violation(f"{process.name} began {message.msg_id} and does not own it")
        is_together = message.msg_id in process.together
        if message.history.attempts != row.attempts + is_together or row.attempts > registry.get(QUEUE).most_attempts:
            raise Violation(f"{message.msg_id}: attempt {message.history.attempts}, counted are {row.attempts}")
        if is_together:
            self._check_start_in_a_bundle(message.msg_id, row)
        for other in others:
            held = other.message
            if other is process or other.at != "handler" or held is None or held.msg_id != message.msg_id:
                continue
            # In a bundle the row is locked, whatever the lease says.
            if held.msg_id in other.together or microseconds(held.token.vt) > self.page.now:
                raise Violation(f"{process.name} and {other.name} work on {message.msg_id} at once")

    def _check_start_in_a_bundle(self, msg_id: int, row: Row) -> None:
        self.met["begun in a bundle"] += 1
        if row.reads != 1 or row.attempts:
            raise Violation(f"{msg_id} was delivered before, and may end the worker of a whole bundle")
        if self._held_since is not None and self.clock.passed - self._held_since > LOOK_SECONDS:
            raise Violation(f"{msg_id} was begun in a bundle while it is held")

    def _check_archive(self, before: Page, moved: Collection[Process]) -> None:
        for msg_id, was in before.archive.items():
            row = self.page.archive.get(msg_id)
            if row is None:
                if not any(process.job == "prune" for process in moved):
                    raise Violation(f"{msg_id} is gone from the archive")
                self.met["deleted"] += 1
                continue
            fixed = ("outcome", "reason", "attempts", "last_error", "tries")
            if any(was.told.get(key) != row.told.get(key) for key in fixed):
                raise Violation(f"{msg_id} ended twice: {was.told} and {row.told}")
            if was.told.get("requeued_as") not in (None, row.told.get("requeued_as")):
                raise Violation(f"{msg_id} was put back twice")
            if was != row and not any(process.name == "operator" for process in moved):
                raise Violation(f"{msg_id} was changed in the archive by nobody's order")

    def _check_new(self, before: Page, moved: Collection[Process]) -> None:
        known = before.queue.keys() | before.archive.keys()
        for msg_id in self.page.queue.keys() - known:
            old = self.page.queue[msg_id].told.get("requeued_from")
            if not any(process.job == "requeue" for process in moved) or old is None:
                raise Violation(f"{msg_id} came from nowhere")
            if self.page.archive[old].told.get("requeued_as") != msg_id or self.outcomes[old][0] != "failed":
                raise Violation(f"{msg_id} is not what {old} was put back as")
            self.met["requeued"] += 1

    def _check_effects(self) -> None:
        done = {msg_id for msg_id, (outcome, _) in self.outcomes.items() if outcome == "succeeded"}
        done |= {msg_id for msg_id, (outcome, _) in self.page.kept.items() if outcome == "succeeded"}
        if self.page.effects != dict.fromkeys(done, 1):
            raise Violation(f"succeeded: {sorted(done)}, but the effects are {self.page.effects}")


@dataclass(frozen=True, slots=True)
class _Hands:
    """Whose a message was when it changed, and what they may do to it."""

    msg_id: int
    was: Row
    before: Page
    after: Page
    moved: Collection[Process]
    waited: Collection[Process]

    def changed_it(self, row: Row) -> str:
        """What happened to it, in a word."""
        owners, readers = list(self._owners()), list(self._readers())
        if not owners and not readers:
            raise Violation(f"{self.msg_id} was changed with a token that opens nothing: {self.was} → {row}")
        if "outcome" in row.told:
            raise Violation(f"{self.msg_id} has an outcome and is still in the queue")
        if row.reads > self.was.reads and self._is_held():
            raise Violation(f"{self.msg_id} was read while it is held")
        counted = row.attempts - self.was.attempts
        if counted == 1:
            self._was_claimed(owners, row)
            return "begun"
        if counted == -1:
            if not self._decided(owners, _UNCOUNTED):
                raise Violation(f"{self.msg_id}: an attempt was taken back without a reason")
            return "not counted"
        if counted or (row.runs and not self.was.runs):
            raise Violation(f"{self.msg_id}: {self.was.attempts} attempts were counted, and now {row.attempts}")
        if row.told.get("next_retry_at") != self.was.told.get("next_retry_at"):
            if not self._may_repeat(owners):
                raise Violation(f"{self.msg_id} is repeated without a reason")
            return "repeated"
        return "read" if row.reads > self.was.reads else "handed back"

    def _may_repeat(self, owners: list[Process]) -> bool:
        """Also what was kept is written by a bridge."""
        by_others = any(one.name == "operator" for one in owners) or self._was_kept("retrying")
        return by_others or self._decided(owners, _REPEATED)

    def _was_claimed(self, owners: list[Process], row: Row) -> None:
        if not row.runs or not any(one.name.startswith("worker") for one in owners):
            raise Violation(f"{self.msg_id}: an attempt was counted that nobody makes")
        if row.attempts > registry.get(QUEUE).most_attempts:
            raise Violation(f"{self.msg_id}: attempt {row.attempts} was begun")
        if self.msg_id in self.before.kept:
            raise Violation(f"{self.msg_id} is worked on again, and its outcome was kept")
        # A statement that began before the hold, and waited for a lock since, knows nothing of it.
        if self._is_held() and not any(one in self.waited for one in owners):
            raise Violation(f"{self.msg_id}: an attempt was begun while it is held")

    def ended_it(self, row: Row) -> tuple[str, str | None]:
        told = row.told
        ending = told.get("outcome"), told.get("reason")
        together = any(self.msg_id in one.together for one in self._owners())
        if row.attempts != self.was.attempts + together:
            raise Violation(f"{self.msg_id} ended with {row.attempts} attempts, and {self.was.attempts} were counted")
        if ending not in {*self._endings()}:
            raise Violation(f"{self.msg_id} ended as {ending}, and may end as {[*self._endings()]}")
        return str(ending[0]), ending[1]

    def _endings(self) -> Iterator[tuple[str, str | None]]:
        limit = registry.get(QUEUE).most_attempts
        for one in self._owners():
            decision = one.decisions.get(self.msg_id)
            if one.name == "operator":
                if not self.was.runs or self.was.vt <= self.after.now:
                    yield "failed", "discarded"
            elif decision in _ENDS and (decision not in _REPEATED or self.was.attempts == limit):
                yield _ENDS[decision]
        if any(one.name.startswith("bridge") for one in (*self._owners(), *self._readers())):
            if self.was.kind != "object":
                yield "failed", "invalid_message"
            elif self.was.attempts == limit and "next_retry_at" not in self.was.told:
                yield "failed", "worker_lost"
            if self.msg_id in self.before.kept:
                yield self.before.kept[self.msg_id]

    def _owners(self) -> Iterator[Process]:
        """Those who asked for the message by the token that it had."""
        return (one for one in self.moved if (self.msg_id, self.was.vt) in one.tokens)

    def _readers(self) -> Iterator[Process]:
        """Those who may take what is due."""
        return (one for one in self.moved if one.name.startswith("bridge") and self.was.vt <= self.after.now)

    def _decided(self, owners: list[Process], decisions: Collection[Decision]) -> bool:
        return any(one.decisions.get(self.msg_id) in decisions for one in owners)

    def _was_kept(self, outcome: str) -> bool:
        return self.before.kept.get(self.msg_id, ("", None))[0] == outcome

    def _is_held(self) -> bool:
        return self.before.holds_back(self.msg_id) and self.after.holds_back(self.msg_id)
