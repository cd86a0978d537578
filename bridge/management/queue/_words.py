"""What acts did and why they left something alone, as the command line says it."""

from collections.abc import Mapping
from difflib import get_close_matches

from django.db import ProgrammingError

from bridge.errors import is_closed
from bridge.operations.codes import Code, Refusal
from bridge.pgmq import queue_names
from bridge.queues import creation, registry

NOT_DONE: dict[Code, str] = {
    Code.NO_SUCH_MESSAGE: "does not exist",
    Code.STILL_QUEUED: "is still in the queue; only messages that failed for good can be put back",
    Code.REQUEUED_BEFORE: "was put back before, as message {requeued_as}",
    Code.DISCARDED_BEFORE: "was discarded before",
    Code.DID_NOT_FAIL: "did not fail (outcome: {outcome})",
    Code.ENDED: "has ended already",
    Code.DUE_ALREADY: "is due already",
    Code.IN_LINE: "is in line for a worker already",
    Code.RUNNING: "is running",
    Code.DELAYED: "was sent to be done later, and waits for no repeat",
    Code.WORK_DONE: "is done; only its outcome waits to be written",
    Code.BUSY: "is in somebody else's hands at this moment; try again",
    Code.POSTGRES_REFUSED: "is left out: Postgres refused to change it, and the log of errors says why",
}


def why_not(queue: str, refusal: Refusal) -> str:
    values = {"requeued_as": "", **refusal.values, "outcome": refusal.values.get("outcome") or "not recorded"}
    return f"{queue} {refusal.msg_id} {NOT_DONE[refusal.code].format(**values)}"


def by_code(skipped: Mapping[str, int]) -> str:
    """`2 requeued_before, 1 busy`; empty where nothing was left alone."""
    return ", ".join(f"{count} {code}" for code, count in sorted(skipped.items()))


def meant(queue: str) -> str:
    """Which queues there are: whoever mistyped a name does not want one of that name."""
    if queue in registry:
        return creation(queue)
    try:
        names = queue_names()
    except ProgrammingError as error:
        if not is_closed(error):
            raise
        names = sorted(each.name for each in registry)
    likely = get_close_matches(queue.lower(), names, n=1) or [name for name in names if name.startswith(f"{queue}_")]
    asked = f"Did you mean {likely[0]}? " if likely else ""
    return f"{asked}There are: {', '.join(names) or 'none'}"
