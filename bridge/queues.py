"""The registry: which queue is drained, by which task, how often it is repeated and how long an attempt may take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from django.conf import settings

from bridge.errors import DuplicateMessage, NotYet, PermanentError, QueueNotRegistered, RegistrationError
from bridge.message import Ending, LastError, Message, Reason
from bridge.sql.querying import loaded

# A Celery task that carries several deliveries starts none of them later than this after its own start.
BUNDLE_SECONDS = 2
# The `priority` of messages that this service sends itself, where the functions that are open to strangers set none: a
# flood of theirs waits behind ours.
OWN_PRIORITY = 10


class Journal(Protocol):
    """How a domain package keeps its own rows in step with the ledger.

    Each method runs inside the transaction that writes the message's new state, in a worker or in the bridge. So
    it may only touch the database, and what it writes exists exactly when the new state does.
    """

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None: ...

    def failed(self, message: Message, reason: Reason, error: LastError) -> None: ...

    def discarded(self, queue: str, sent_at: Mapping[int, datetime]) -> None:
        """An operator says that these messages, which failed before, need nobody any more.

        `sent_at` is when each was sent: ids start again when a queue is made anew.
        """


class NoJournal:
    """For queues whose package keeps no rows."""

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        """Keep nothing."""

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        """Keep nothing."""

    def discarded(self, queue: str, sent_at: Mapping[int, datetime]) -> None:
        """Keep nothing."""


# What a screen says of a message: how its handler would end it, or that its turn comes later.
Verdict = PermanentError | DuplicateMessage | NotYet


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that waits for its first attempt. `text` is its body, of at most `Screen.MOST_OCTETS`."""

    msg_id: int
    enqueued_at: datetime
    text: str

    def read(self) -> Any:
        """The body, which is untrusted JSON of any shape, or `Unreadable`. Parsed anew at each call."""
        return loaded(self.text)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that the screen ended, and how."""

    candidate: Candidate
    ending: Ending


def _keep_nothing(refusals: Sequence[Refusal]) -> None:
    """For screens whose package keeps no rows about what it refused: the archive has it all."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Ends messages by the hundreds before any of them costs a worker's time.

    Anybody may fill a queue, and what waits behind ten thousand messages that are refused one by one waits minutes. So
    the bridge shows the screen each message before its first attempt, up to `MOST_IN_BATCH` together: `judge` says in a
    query or two which of them the handler would end at once, as `{msg_id: the error that it would raise}`, or that a
    message has to wait for what was said of others (`NotYet`). What is ended is archived together, and `note` may write
    rows about it in that very transaction.

    A screen spares work and is no guard: a message may pass it while it is broken (an error is logged, and all pass),
    be too large to be shown, or come to a worker past it. Where fewer than `least` wait, it is not asked at all. So
    the handler checks everything again. Screens run in the bridge: they may only touch the database, and be quick.

    To use it, register the queue with `screen=Screen(judge=refuse_strangers)`.
    """

    MOST_IN_BATCH: ClassVar[int] = 2000
    MOST_OCTETS: ClassVar[int] = 8 * 1024

    judge: Callable[[Sequence[Candidate]], Mapping[int, Verdict]]
    note: Callable[[Sequence[Refusal]], None] = _keep_nothing
    least: int = 1


@dataclass(frozen=True, slots=True)
class Queue:
    """A pgmq queue that somebody handles.

    `task` is the registered Celery name and `celery_queue` the line it waits in. `max_retries` counts repeats after
    the first try. `time_limit` (seconds) is the hard limit of one attempt. `screen` refuses what must not cost one.
    `services` are those outside without which nothing can be done (`bridge.breaker`): while one of them is away, the
    queue is held.
    """

    name: str
    task: str
    celery_queue: str
    max_retries: int
    time_limit: int
    journal: Journal
    screen: Screen | None = None
    services: tuple[str, ...] = ()

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


def queues_needing(service: str) -> list[Queue]:
    """The queues that cannot be worked on without this service."""
    return [queue for queue in registry if service in queue.services]


def creation(name: str) -> str:
    """What to run for a queue of ours that is missing. Others are for others to make."""
    return f"Let the owner of pgmq run: select pgmq.create('{name}');" if name in registry else ""
