"""What the queues look like now: for `queue_status`, the admin and metrics."""

from dataclasses import asdict, dataclass, field
from typing import Any

from celery import current_app
from django.db.models import Count, Model
from kombu.exceptions import KombuError

from bridge.breaker.states import ServiceState, away
from bridge.daemon.publisher import Publisher
from bridge.errors import BrokerAway
from bridge.extension import OwnedByExtension, owned_by_extension
from bridge.holds import Hold, in_force
from bridge.message import Outcome
from bridge.models import BridgeProcess, FailedMessage, KeptOutcome, OutsideService, QueueHold, RolledHour, RolledQueue
from bridge.open_functions import OpenFunction, find_open_functions
from bridge.pgmq import Counts, QueueMissing, pgmq_queue, queue_names
from bridge.processes.pulse import Kind
from bridge.processes.rows import Process, processes
from bridge.queues import registry
from bridge.rights import OWN_SCHEMA, RowsHidden, Trouble, find_troubles, queue_tables, require_sight
from bridge.rollup.reading import HOURS, Day, day
from bridge.rollup.ready import is_ready
from bridge.sql.rows import Archived
from bridge.trouble.explain import explain
from bridge.wakeup import Method, installed_method

__all__ = ["HOURS", "QueueStatus", "Status", "read_status", "running_workers"]


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue. `handler` is empty where nobody drains it; `broker_line` counts Celery tasks, `None`: broker away.

    `succeeded`, `failed`, `duplicates` and `others` (archived by somebody else) count the last 24 hours; `refused` are
    those of the failed ones that our rules forbid. What failed and was put back since is history: it counts as
    `put_back` alone. `kept` are outcomes that wait until they can be written, `kept_why` is what Postgres said to the
    latest of them. `day` has these counts and more; without the tables of the roll-up the archive itself is counted,
    and there is none.
    """

    name: str
    handler: str
    wakeup: Method | None
    counts: Counts
    broker_line: int | None
    succeeded: int
    failed: int
    duplicates: int
    others: int
    refused: int = 0
    put_back: int = 0
    kept: int = 0
    kept_why: str = ""
    day: Day | None = None

    @property
    def open_failures(self) -> int:
        """What somebody may have to do something about."""
        return self.failed - self.refused

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "wakeup": self.wakeup.value if self.wakeup else None, "total": self.counts.total}


@dataclass(frozen=True, slots=True)
class Status:
    """All queues of the database, registered ones that are missing, and the bridge processes that live."""

    queues: list[QueueStatus]
    missing: list[str]
    # `None` where their table cannot be read.
    bridges: list[str] | None
    broker_problem: str = ""
    # What keeps us from tables that we need; queues whose rows nobody can count are in `unread` and in no other list.
    troubles: list[Trouble] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    # Of all kinds, those of the last day.
    processes: list[Process] = field(default_factory=list)
    # Why nothing of a queue is started, the oldest first.
    holds: list[Hold] = field(default_factory=list)
    # Services outside that are known to be away.
    away: list[ServiceState] = field(default_factory=list)
    open_functions: list[OpenFunction] = field(default_factory=list)
    # What no logical dump holds.
    undumped: OwnedByExtension | None = None


def running_workers() -> int:
    """How many workers answer through the broker within a second; 0 as well when it is away."""
    try:
        return len(current_app.control.ping(timeout=1.0) or ())
    except (OSError, KombuError):
        return 0


def read_status() -> Status:
    """Ask Postgres and the broker. Raises Django's database errors; a broker that is away is part of the answer."""
    problem, troubles = "", find_troubles()
    queues: list[QueueStatus] = []
    missing: list[str] = []
    unread: list[str] = []
    names, kept = _names(troubles), _read_kept() if _is_open(KeptOutcome, troubles) else {}
    is_rolled_up = _is_rolled_up(troubles)
    with Publisher(current_app) as publisher:
        for name in names:
            if _is_unreadable(name):
                unread.append(name)
                continue
            line = None
            if name in registry and not problem:
                try:
                    line = publisher.line_length(registry.get(name).celery_queue)
                except BrokerAway as error:
                    problem = str(explain(error) or error)
            try:
                queues.append(_read_queue(name, line, kept, is_rolled_up=is_rolled_up))
            except QueueMissing:
                (missing if name in registry else unread).append(name)
    missing += [queue.name for queue in registry if queue.name not in names]
    known = processes() if _is_open(BridgeProcess, troubles) else None
    bridges = None if known is None else [each.name for each in known if each.kind == Kind.BRIDGE and each.is_alive]
    held = [hold for each in in_force().values() for hold in each] if _is_open(QueueHold, troubles) else []
    services = away() if _is_open(OutsideService, troubles) else []
    return Status(
        queues,
        missing,
        bridges,
        problem,
        troubles,
        unread,
        known or [],
        held,
        services,
        find_open_functions(),
        owned_by_extension(),
    )


def _names(troubles: list[Trouble]) -> list[str]:
    """All queues; where the list of them is closed to us, those that we handle."""
    if {"pgmq.meta", "schema pgmq"} & {trouble.table for trouble in troubles}:
        return [queue.name for queue in registry]
    return queue_names()


def _is_unreadable(name: str) -> bool:
    """Also of queues that are none of ours, which are shown without a handler."""
    try:
        require_sight(*queue_tables(name))
    except RowsHidden:
        return True
    return False


def _is_open(model: type[Model], troubles: list[Trouble]) -> bool:
    """Whether a table of ours can be read: who asks how things stand is told what is wrong, and not refused by it."""
    places = {f"{OWN_SCHEMA}.{model._meta.db_table}", OWN_SCHEMA, f"schema {OWN_SCHEMA}"}
    return not places & {trouble.table for trouble in troubles}


def _read_kept() -> dict[str, tuple[int, str]]:
    """How many outcomes are kept for each queue, and why the latest of them."""
    counts = dict(KeptOutcome.objects.values_list("queue").annotate(Count("pk")))
    latest = KeptOutcome.objects.order_by("queue", "-kept_at").distinct("queue").values_list("queue", "why")
    return {queue: (counts.get(queue, 1), why) for queue, why in latest}


def _is_rolled_up(troubles: list[Trouble]) -> bool:
    """Whether what ended need not be counted. The roll-up tells queues apart by when pgmq made them."""
    closed = {"pgmq.meta", "schema pgmq"} & {trouble.table for trouble in troubles}
    tables = (RolledQueue, RolledHour, FailedMessage)
    return is_ready() and not closed and all(_is_open(model, troubles) for model in tables)


def _read_queue(
    name: str, line: int | None, all_kept: dict[str, tuple[int, str]], *, is_rolled_up: bool
) -> QueueStatus:
    ended = day(name) if is_rolled_up else None
    kept, kept_why = all_kept.get(name, (0, ""))
    return QueueStatus(
        name=name,
        handler=registry.get(name).task if name in registry else "",
        wakeup=installed_method(name),
        counts=pgmq_queue(name).counts(),
        broker_line=line,
        **(_counted_by_day(ended) if ended else _counted(pgmq_queue(name).archived_since(hours=HOURS))),
        kept=kept,
        kept_why=kept_why,
        day=ended,
    )


def _counted_by_day(ended: Day) -> dict[str, int]:
    names = ("succeeded", "failed", "duplicates", "others", "refused", "put_back")
    return {name: getattr(ended, name) for name in names}


def _counted(archived: Archived) -> dict[str, int]:
    counted = dict(archived.outcomes)
    ours = {outcome: counted.pop(outcome.value, 0) for outcome in Outcome}
    return {
        "succeeded": ours[Outcome.SUCCEEDED],
        "failed": ours[Outcome.FAILED],
        "duplicates": ours[Outcome.DUPLICATE],
        "others": sum(counted.values()),
        "refused": archived.refused,
        "put_back": archived.put_back,
    }
