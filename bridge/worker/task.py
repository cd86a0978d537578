"""The Celery side of a delivery: claim, run, outcome. The pgmq row owns the work; a Celery task is a hint about it."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from celery import shared_task
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from bridge import outcome
from bridge.breaker.attempt import is_confirmed
from bridge.breaker.record import note_failure
from bridge.errors import (
    DuplicateMessage,
    InvalidMessage,
    NotKept,
    NotYet,
    PermanentError,
    QueueHeld,
    ServiceAway,
    TokenLost,
)
from bridge.message import Message, Next, Token, Unreadable
from bridge.pgmq import POSTGRES_AWAY, NotArchivable, QueueMissing, pgmq_queue
from bridge.postgres import first_line, is_outage
from bridge.queues import Queue, registry
from bridge.trace import attempt_begins, event, traced
from bridge.tries import this_process
from bridge.trouble.explain import explain
from bridge.worker.place import PlacedTask

logger = logging.getLogger(__name__)

T = TypeVar("T")
Record = Callable[[], None]
Handler = Callable[[Message], Record | None]

# How long a worker waits for Postgres before it gives a delivery back unstarted (its lease runs out by itself).
CLAIM_PATIENCE_SECONDS = 30


class HandedBack(Ignore):
    """The message was not started, as its queue is held; so are those beside it not."""


class QueueTask(PlacedTask):
    """A task whose work is owned by a pgmq message.

    It is called with the coordinates of a delivery and runs its handler with the `Message`. Celery decides whether and
    when to repeat (`autoretry_for`, `retry_backoff`, `max_retries`); `retry` carries that out on the message instead of
    parking an ETA task in a worker. So a repeat survives the loss of workers and of the broker.
    """

    abstract = True
    typing = False  # Called with a delivery's coordinates, while `run` takes the message.
    autoretry_for = (Exception,)
    dont_autoretry_for = (PermanentError, DuplicateMessage, NotYet, TokenLost)
    throws = (PermanentError,)  # Expected: logged in one line, without a traceback.
    retry_backoff = True
    retry_backoff_max = 60
    retry_jitter = False
    pgmq_queue: str = ""
    # What makes its work, and whether that is nothing but rows of this database (`queue_task`).
    handler: Handler
    transactional = False

    @property
    def spec(self) -> Queue:
        return registry.get(self.pgmq_queue)

    @property
    def max_retries(self) -> int:  # type: ignore[override]  # the registry decides, which is filled after the import
        return self.spec.max_retries

    @property
    def time_limit(self) -> int:  # type: ignore[override]
        return self.spec.time_limit

    @property
    def soft_time_limit(self) -> int:  # type: ignore[override]
        """A little before the hard limit, so that a slow attempt ends in an orderly retry and not in a killed child."""
        return self.spec.soft_time_limit

    def __call__(self, queue: str, msg_id: int, vt: str, trace_id: str) -> None:
        if queue != self.pgmq_queue:
            raise Ignore(f"{self.name} handles {self.pgmq_queue}, not {queue}")
        with traced(trace_id, queue=queue, msg_id=msg_id):
            message = self._claimed_before() or self._claim(Token(msg_id, datetime.fromisoformat(vt)), trace_id)
            attempt_begins(message.history.attempts)
            self.request.update(delivery=message)
            try:
                if isinstance(message.body, Unreadable):
                    raise InvalidMessage(f"the message cannot be read: {message.body.why}")
                self.run(message)
            except (Retry, Ignore):
                raise
            except TokenLost as lost:
                logger.warning("%s; what this attempt did is rolled back", lost, extra=event("rolled_back"))
                raise Ignore(str(lost)) from lost
            except NotYet as later:
                seconds = later.seconds
                self._write(lambda: outcome.put_back(self.spec, message, delay=seconds))
                raise Ignore(str(later)) from later
            except DuplicateMessage as duplicate:
                why, original = str(duplicate), duplicate.original
                self._write(lambda: outcome.discard_duplicate(self.spec, message, why=why, original=original))
            except Exception as error:
                self._fail(message, error)
                raise

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """Hide the message for `countdown` seconds and report RETRY; raises `exc` when no repeat is left."""
        message: Message = self.request.get("delivery")
        error = exc or RuntimeError("the handler asked for a repeat")
        limit = self.max_retries if max_retries is None else max_retries
        if isinstance(error, ServiceAway):
            self._meet_outage(message, error, is_last=self.request.retries >= limit)
            error = error.__cause__ or error
        if self.request.retries >= limit:
            raise error
        delay = (0 if countdown is None else countdown) * settings.BRIDGE_DELAY_SCALE
        described = outcome.describe_error(error)
        self._write(lambda: outcome.schedule_retry(self.spec, message, described, delay=delay))
        retry = Retry(exc=error, when=countdown)  # type: ignore[arg-type]
        if throw:
            raise retry
        return retry

    def end(self, message: Message, record: Record | None) -> None:
        """Write that the message is done; with it the next one of a bundle may begin, whose task finds it here."""
        offer: Callable[[], Next | None] | None = self.request.get("following")

        def write() -> Message | None:
            return outcome.succeed(self.spec, message, record, offer() if offer is not None else None)

        self.request.update(begun=self._write(write))

    def _claimed_before(self) -> Message | None:
        """The message, if its attempt began with the outcome of the one before."""
        claimed: Message | None = self.request.get("claimed")
        return None if claimed is None else replace(claimed, begun=time.monotonic())

    def _claim(self, token: Token, trace_id: str) -> Message:
        queue, attempts = pgmq_queue(self.pgmq_queue), self.request.retries + 1
        lease = self.spec.run_lease

        def claim() -> Message | None:
            # Also when the connection has broken since.
            self.take_place(self.pgmq_queue, token.msg_id, token.vt.isoformat(), trace_id)
            return queue.claim(token, lease=lease, attempts=attempts, trace_id=trace_id, worker=this_process())

        try:
            message = outcome.while_postgres_is_away(
                claim,
                seconds=CLAIM_PATIENCE_SECONDS,
                mistakes=False,
            )
        except QueueMissing as missing:
            raise Ignore(str(missing)) from missing
        except QueueHeld as held:
            logger.info("%s", held, extra=event("handed_back"))
            raise HandedBack(str(held)) from held
        except NotArchivable as refusal:
            logger.error("%s %s: not started: %s", self.pgmq_queue, token.msg_id, refusal, extra=event("not_started"))
            raise Ignore("no outcome could be written; the message is delivered again after its lease") from refusal
        except (DatabaseError, InterfaceError) as error:
            away = "Postgres is away" if is_outage(error) else "Postgres refuses it"
            logger.error(
                "%s %s: not started, %s: %s",
                *(self.pgmq_queue, token.msg_id, away, _told(error)),
                extra=event("not_started"),
            )
            raise Ignore(f"{away}; the message is delivered again when its lease has run out") from error
        if message is None:
            logger.info("%s %s: ignored, this delivery is stale", self.pgmq_queue, token.msg_id, extra=event("stale"))
            raise Ignore("stale delivery")
        return message

    def _meet_outage(self, message: Message, away: ServiceAway, *, is_last: bool) -> None:
        """Note that a service failed; raises `Ignore` when the attempt does not count, and the message waits for it."""
        described = outcome.describe_error(away.__cause__ or away)
        is_sure = is_last and is_confirmed(away)

        def put_back(due: datetime) -> None:
            outcome.await_service(self.spec, message, described, due=due)

        try:
            waits = self._write(lambda: note_failure(away, message, put_back=put_back, is_sure=is_sure))
        except (DatabaseError, QueueMissing) as refusal:
            logger.error(
                "%s %s: that a service is away is not noted: %s",
                *(self.pgmq_queue, message.msg_id, refusal),
                extra=event("outage_not_noted"),
            )
            return
        if waits:
            raise Ignore(f"{away}; the message waits until the service is back") from away

    def _fail(self, message: Message, error: Exception) -> None:
        ending = outcome.ending_of(error)
        assert ending.reason is not None  # noqa: S101 # Duplicates have their own way.
        reason, described = ending.reason, outcome.describe_error(error)
        self._write(lambda: outcome.fail(self.spec, message, reason, described))

    def _write(self, write: Callable[[], T]) -> T:
        """Write an outcome, waiting out a restart of Postgres: the effect has happened and must not happen again.

        When Postgres stays away until the time limit, the attempt ends without an outcome and the message is delivered
        again after its lease. This must not look like an error of the handler, as that would end the message for good.
        """
        try:
            return outcome.while_postgres_is_away(write, seconds=self.spec.time_limit)
        except TokenLost as lost:
            logger.warning("%s; its outcome is left to the owner", lost, extra=event("rolled_back"))
            raise Ignore(str(lost)) from lost
        except (*POSTGRES_AWAY, SoftTimeLimitExceeded, NotKept) as error:
            if isinstance(error, POSTGRES_AWAY) and not is_outage(error):
                raise  # A row of the handler's own.
            message: Message = self.request.get("delivery")
            described = outcome.describe_error(error)
            logger.error(
                "%s %s: attempt %s ends without an outcome, as that could not be written: %s: %s",
                *(self.pgmq_queue, message.msg_id, message.history.attempts, described.type, described.message),
                extra=event("no_outcome"),
            )
            raise Ignore("the outcome could not be written; the message is delivered again after its lease") from error


def _told(error: Exception) -> str:
    """What a person has to mend, or what Postgres says."""
    found = explain(error)
    return str(found) if found is not None and found.is_mistake else first_line(error)


def queue_task(name: str, *, queue: str, transactional: bool = False) -> Callable[[Handler], Any]:
    """Make a handler the Celery task `name` for the messages of the pgmq queue `queue`.

    The handler gets a `Message` and does its effect outside any transaction. It may return a callable that writes its
    rows: that runs in the very transaction that archives the message as succeeded. It raises `PermanentError`,
    `InvalidMessage`, `Refused` or `DuplicateMessage` to end the message, and `NotYet`, before it has done anything, to
    get it later; any other exception is a reason to repeat. What asks a service outside does so within
    `bridge.breaker.asking`, which raises `ServiceAway` for what is no fault of the message.

    With `transactional` it has no effect but rows that it writes over Django's connection, itself or by what it
    returns. Then many messages may run in one transaction (`bridge.worker.together`), and one that fails there is run
    anew.
    """

    def decorate(handler: Handler) -> Any:
        def run(task: QueueTask, message: Message) -> None:
            task.end(message, handler(message))

        run.__doc__ = handler.__doc__
        run.__module__ = handler.__module__
        about: dict[str, Any] = {"pgmq_queue": queue, "transactional": transactional}
        about["handler"] = staticmethod(handler)
        made: Any = shared_task(base=QueueTask, bind=True, name=name, **about)
        return made(run)

    return decorate
