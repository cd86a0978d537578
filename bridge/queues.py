"""The registry: which queue is drained, by which task, how often it is repeated and how long an attempt may take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from django.conf import settings

from bridge.errors import QueueNotRegistered, RegistrationError
from bridge.message import LastError, Message, Reason

# A Celery task that carries several deliveries starts none of them later than this after its own start.
BUNDLE_SECONDS = 2


class Journal(Protocol):
    """How a domain package keeps its own rows in step with the ledger.

    Each method runs inside the transaction that writes the message's new state, in a worker or in the bridge. So
    it may only touch the database, and what it writes exists exactly when the new state does.
    """

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None: ...

    def failed(self, message: Message, reason: Reason, error: LastError) -> None: ...


class NoJournal:
    """For queues whose package keeps no rows."""

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        """Keep nothing."""

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that waits for its first attempt. `fields` has the members that its screen asked for: texts, cut to
    `MOST_CHARACTERS`, or `None` where the member is missing or no text."""

    msg_id: int
    enqueued_at: datetime
    fields: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that the screen refused, and why, as people read it. It is archived as failed, reason `refused`."""

    candidate: Candidate
    why: str


def _keep_nothing(refusals: Sequence[Refusal]) -> None:
    """For screens whose package keeps no rows about what it refused: the archive has it all."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Refuses messages by the hundreds before any of them costs a worker's time.

    Anybody may fill a queue, and what waits behind ten thousand messages that are refused one by one waits minutes. So
    the bridge shows the screen each message once, before its first attempt, up to `MOST_IN_BATCH` together: `judge`
    says in a query or two which of them are refused, as `{msg_id: why}`. It gets no bodies, only `fields`. The refused
    ones are archived together, and `note` may write rows about them in that very transaction.

    A screen spares work and is no guard: a message may pass it while it is broken (an error is logged, and all pass),
    or come to a worker past it. The handler checks again, and raises `bridge.errors.Refused`. Both run in the bridge,
    so they may only touch the database, and must be quick.

    To use it, register the queue with `screen=Screen(fields=("to",), judge=refuse_strangers)`.
    """

    MOST_IN_BATCH: ClassVar[int] = 500
    MOST_CHARACTERS: ClassVar[int] = 400

    fields: tuple[str, ...]
    judge: Callable[[Sequence[Candidate]], Mapping[int, str]]
    note: Callable[[Sequence[Refusal]], None] = _keep_nothing


@dataclass(frozen=True, slots=True)
class Queue:
    """A pgmq queue that somebody handles.

    `task` is the registered Celery name and `celery_queue` the line it waits in. `max_retries` counts repeats after
    the first try. `time_limit` (seconds) is the hard limit of one attempt. `screen` refuses what must not cost one.
    """

    name: str
    task: str
    celery_queue: str
    max_retries: int
    time_limit: int
    journal: Journal
    screen: Screen | None = None

    @property
    def most_attempts(self) -> int:
        return self.max_retries + 1

    @property
    def soft_time_limit(self) -> int:
        """Seconds after which an attempt is asked to end, a little before the hard limit ends it."""
        return max(1, self.time_limit - max(1, self.time_limit // 10))

    @property
    def run_lease(self) -> int:
        """Seconds for which a started attempt owns its message: no attempt of a bundle can outlast them.

        The margin is for the time limit, which must have ended a task before another worker may start it.
        """
        return self.time_limit + BUNDLE_SECONDS + int(settings.BRIDGE_LEASE_MARGIN)


class Registry:
    """The queues that the installed packages handle, by name."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}

    def register(self, queue: Queue) -> None:
        """Add a queue. Raises `RegistrationError` for a second handler or limits that make no sense."""
        if queue.name in self._queues:
            taken = self._queues[queue.name].task
            raise RegistrationError(f"{queue.name} is already handled by {taken}; {queue.task} cannot have it too")
        if queue.max_retries < 0 or queue.time_limit < 1:
            raise RegistrationError(f"{queue.name} needs max_retries of 0 or more and a time_limit of 1 s or more")
        self._queues[queue.name] = queue

    def get(self, name: str) -> Queue:
        """Return the queue, or raise `QueueNotRegistered` with the names that there are."""
        try:
            return self._queues[name]
        except KeyError:
            known = ", ".join(sorted(self._queues)) or "none"
            raise QueueNotRegistered(f"no handler for the queue {name!r}; there are: {known}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._queues

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues.values())

    def __len__(self) -> int:
        return len(self._queues)


registry = Registry()
