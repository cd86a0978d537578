"""What acts are called, and why one leaves a message alone: codes, for whichever face shows them to word."""

from dataclasses import dataclass, field
from enum import StrEnum

from bridge.operations.audit import Done


class Action(StrEnum):
    REQUEUE = "requeue"
    RETRY = "retry"
    DISCARD = "discard"
    SEND_AGAIN = "send_again"


class Code(StrEnum):
    """`BUSY`: somebody else has the message in hand at this moment. `WORK_DONE`: only its outcome is to be written."""

    NO_SUCH_MESSAGE = "no_such_message"
    STILL_QUEUED = "still_queued"
    REQUEUED_BEFORE = "requeued_before"
    DISCARDED_BEFORE = "discarded_before"
    DID_NOT_FAIL = "did_not_fail"
    ENDED = "ended"
    DUE_ALREADY = "due_already"
    IN_LINE = "in_line"
    RUNNING = "running"
    DELAYED = "delayed"
    WORK_DONE = "work_done"
    BUSY = "busy"
    POSTGRES_REFUSED = "postgres_refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was left alone. `values` are what a sentence about it names: ids and outcomes."""

    msg_id: int
    code: Code
    values: dict[str, str] = field(default_factory=dict)


# Whoever asked for more of them gets their number by code, and the first ones by id.
MOST_REFUSALS = 1000


@dataclass(frozen=True, slots=True)
class Acted(Done):
    """What an act did. `pairs` are old and new ids of messages that were sent again.

    `is_over` is false as long as workers have to go on with it; `is_repeated` says that the same form was sent before,
    and that this is what came of it then.
    """

    action_id: int | None = None
    refusals: tuple[Refusal, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    is_over: bool = True
    is_repeated: bool = False
