"""Why an act leaves a message alone that is in its queue, or was to be there."""

from collections.abc import Collection

from bridge.message import MessageState
from bridge.operations.codes import Code, Refusal
from bridge.pgmq import pgmq_queue
from bridge.sql.rows import QueuedRow

_CODES = {
    MessageState.READY: Code.DUE_ALREADY,
    MessageState.IN_LINE: Code.IN_LINE,
    MessageState.RUNNING: Code.RUNNING,
    MessageState.DELAYED: Code.DELAYED,
    # It was as it had to be, and its row could not be written after all.
    MessageState.RETRYING: Code.BUSY,
}


def why_not(one: QueuedRow) -> Code:
    return Code.WORK_DONE if one.kept else _CODES[MessageState(one.state)]


def absent_refusals(queue: str, ids: Collection[int]) -> tuple[Refusal, ...]:
    """About messages that are not in the queue, or that somebody has in hand there."""
    if not ids:
        return ()
    found = []
    for one in pgmq_queue(queue).standings(list(ids)):
        code = Code.BUSY if one.is_queued else Code.ENDED if one.is_archived else Code.NO_SUCH_MESSAGE
        found.append(Refusal(one.msg_id, code))
    return tuple(found)
