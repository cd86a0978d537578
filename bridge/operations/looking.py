"""One message, wherever it is: how it stands, every attempt, and who did what to it."""

from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from bridge.message import Outcome
from bridge.models import OperatorAction
from bridge.pgmq import pgmq_queue
from bridge.sql.browsing import Whole
from bridge.tries import Try, tries_of


@dataclass(frozen=True, slots=True)
class Looked:
    """`state` is what it waits for, or how it ended: an outcome, `put_back`, `discarded`, `archived` by others."""

    queue: str
    state: str
    whole: Whole
    tries: list[Try]
    actions: list[OperatorAction]


def look_at(queue: str, msg_id: int, *, characters: int = 0) -> Looked | None:
    """The message with so much of its body; `None` where it is in neither queue nor archive. Raises `QueueMissing`."""
    whole = pgmq_queue(queue).find(msg_id, characters=characters)
    if whole is None:
        return None
    return Looked(
        queue,
        _state(whole),
        whole,
        tries_of(whole.row.history, now=timezone.now()),
        actions_on(queue, msg_id, whole.row.history.get("acted_by")),
    )


def actions_on(queue: str, msg_id: int, acted_by: object = None) -> list[OperatorAction]:
    """What operators did to it, the newest first; `acted_by` is the act on many that its history names."""
    named = Q(msg_id=msg_id) | Q(filters__contains={"ids": [msg_id]})
    if type(acted_by) is int:
        named |= Q(pk=acted_by)
    return list(OperatorAction.objects.filter(named, queue=queue)[:100])


def _state(whole: Whole) -> str:
    history = whole.row.history
    if whole.state is not None:
        return whole.state.value
    if "requeued_as" in history:
        return "put_back"
    if "discarded_at" in history:
        return "discarded"
    outcome = history.get("outcome")
    return outcome if outcome in set(Outcome) else "archived"
