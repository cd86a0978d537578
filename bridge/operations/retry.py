"""Lets messages that wait for their repeat be due at once: somebody has mended what they failed with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from bridge.message import MessageState
from bridge.models import OperatorAction
from bridge.operations.act import Asked
from bridge.operations.actor import Actor
from bridge.operations.codes import Acted, Action, Refusal
from bridge.operations.doing import to_chosen, to_matching
from bridge.operations.driving import Changed, Tell
from bridge.operations.queued import absent_refusals, why_not
from bridge.pgmq import pgmq_queue
from bridge.sql.wanted import Wanted

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Retry:
    queue: str

    def change(self, ids: list[int], row: OperatorAction, *, wait: bool) -> Changed:
        pgmq = pgmq_queue(self.queue)
        rows = pgmq.lock_queue(ids)
        due = [one.token for one in rows if one.state == MessageState.RETRYING and not one.kept]
        done = set(pgmq.hasten(due)) if due else set()
        left = [one for one in rows if one.token.msg_id not in done]
        absent = set(ids) - {one.token.msg_id for one in rows}
        refusals = (*(Refusal(one.token.msg_id, why_not(one)) for one in left), *absent_refusals(self.queue, absent))
        return Changed(tuple(sorted(done)), refusals)


def retry_now(
    queue: str,
    ids: Iterable[int],
    *,
    actor: Actor,
    reason: str = "",
    key: UUID | None = None,
    tell: Tell | None = None,
) -> Acted:
    """Raises `QueueMissing` for an unknown queue, and Django's errors for an outage."""
    return to_chosen(Action.RETRY, Retry(queue), ids, Asked(actor, reason, key=key), tell=tell)


def retry_waiting(
    queue: str,
    wanted: Wanted | None = None,
    *,
    actor: Actor,
    reason: str = "",
    key: UUID | None = None,
    tell: Tell | None = None,
) -> Acted:
    """All that wait for a repeat, or those whose last error, or trace id, is meant."""
    asked = Asked(actor, reason, key=key)
    return to_matching(Action.RETRY, Retry(queue), partial(waiting_ids, queue), wanted or Wanted(), asked, tell=tell)


def waiting_ids(queue: str, wanted: Wanted, *, after: int = 0) -> Iterator[int]:
    """Ids of the messages that wait for a repeat and are meant."""
    pgmq = pgmq_queue(queue)
    while page := pgmq.waiting_for_repeat(after=after, limit=_PAGE):
        after = page[-1][0]
        for msg_id, kind, error, trace_id in page:
            is_named = wanted.ids is None or msg_id in wanted.ids
            is_traced = wanted.trace_id in (None, trace_id)
            if is_named and is_traced and wanted.error_type in (None, kind) and wanted.matches(kind, error):
                yield msg_id
