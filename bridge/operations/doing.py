"""Does one kind of work to messages that somebody named, or to all that are meant, and writes it down as one act."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext

from django.db import transaction

from bridge.operations import act
from bridge.operations.act import Asked, Repeated
from bridge.operations.codes import Acted, Action
from bridge.operations.driving import BATCH, Tell, Work, drive
from bridge.operations.failures import until_now
from bridge.pgmq import pgmq_queue
from bridge.sql.wanted import Wanted


def to_chosen(action: Action, work: Work, ids: Iterable[int], asked: Asked, *, tell: Tell | None = None) -> Acted:
    """Few of them are one transaction: all that happens, or nothing does."""
    chosen = list(dict.fromkeys(ids))
    pgmq_queue(work.queue).look()
    named = {"msg_id": chosen[0]} if len(chosen) == 1 else {"filters": {"ids": chosen}}
    with transaction.atomic() if len(chosen) <= BATCH else nullcontext():
        try:
            row = act.begin(action, work.queue, asked, **named)
        except Repeated as repeated:
            return repeated.answer()
        return drive(row, work, chosen, tell=tell)


def to_matching(
    action: Action,
    work: Work,
    find: Callable[[Wanted], Iterable[int]],
    wanted: Wanted,
    asked: Asked,
    *,
    most: int | None = None,
    tell: Tell | None = None,
) -> Acted:
    """To all that are meant, and that are so by now: what turns out so while this goes on is left alone."""
    wanted = until_now(work.queue, wanted)
    try:
        row = act.begin(action, work.queue, asked, filters=wanted.as_json())
    except Repeated as repeated:
        return repeated.answer()
    return drive(row, work, find(wanted), most=most, tell=tell)
