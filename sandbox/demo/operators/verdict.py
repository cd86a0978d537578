"""Compares what operators and an outage may cost with what they did. Pure: no database, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.message import Reason
from sandbox.demo.archive import Archived

# What the service promises of an outage.
MOST_ATTEMPTS_SPENT = 3
FIRST_MAIL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pause:
    """`untouched` are those of the `sent` messages that nobody had read when the queue was resumed; `left_in` seconds
    all of them were through. `home` is what the home page of staff said.
    """

    sent: int
    untouched: int
    left_in: float | None
    home: str

    @property
    def differences(self) -> list[str]:
        found = []
        if self.untouched != self.sent:
            found.append(f"{self.sent - self.untouched} of {self.sent} messages were touched while they were paused")
        if self.left_in is None:
            found.append("messages wait on after the queue was resumed")
        if not self.home:
            found.append("the home page does not tell of the pause")
        return found


@dataclass(frozen=True, slots=True)
class Outage:
    """`waiting` of the `sent` messages were still there when the server came back, `first_in` seconds after which the
    first mail arrived. `status` is what `queue status` said meanwhile, `home` the home page of staff.
    """

    sent: int
    waiting: int
    seconds: float
    first_in: float | None
    endings: Sequence[Archived]
    status: str
    home: str

    @property
    def spent(self) -> int:
        """How many attempts were counted that brought nothing."""
        return sum(ending.attempts - 1 for ending in self.endings)

    @property
    def exhausted(self) -> int:
        return sum(ending.reason == Reason.RETRIES_EXHAUSTED for ending in self.endings)

    @property
    def differences(self) -> list[str]:
        found = []
        if not self.status:
            found.append("the breaker did not open: `queue status` names no service that is away")
        if self.waiting != self.sent:
            found.append(f"{self.sent - self.waiting} of {self.sent} messages ended while the mail server was away")
        if self.spent > MOST_ATTEMPTS_SPENT:
            found.append(f"{self.spent} attempts were spent on the outage instead of {MOST_ATTEMPTS_SPENT} at most")
        if self.exhausted:
            found.append(f"{self.exhausted} messages used up all their attempts because of it")
        if self.first_in is None or self.first_in > FIRST_MAIL_SECONDS:
            when = "never" if self.first_in is None else f"{self.first_in:.1f} s after the server was back"
            found.append(f"the first mail came {when}, {FIRST_MAIL_SECONDS:g} s were promised")
        if not self.home:
            found.append("the home page does not tell of the outage")
        return found


@dataclass(frozen=True, slots=True)
class OperatorFindings:
    """What was played. `disorder` are commands that were refused, and what broke a scene."""

    pause: Pause | None = None
    outage: Outage | None = None
    disorder: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        return sum(scene is not None for scene in (self.pause, self.outage))

    @property
    def differences(self) -> list[str]:
        pause = [f"pause: {line}" for line in self.pause.differences] if self.pause else ["no queue was paused"]
        outage = [f"outage: {line}" for line in self.outage.differences] if self.outage else ["no server was away"]
        return [*pause, *outage, *self.disorder]
