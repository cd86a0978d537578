"""The faults, as they were planned and as they came about."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Group(StrEnum):
    """What a fault hits. Of one group there is one fault at a time, so that one worker at most is stopped."""

    WEB = "web"
    BRIDGE = "bridge"
    WORKER = "worker"
    BEAT = "beat"
    BROKER = "broker"
    POSTGRES = "postgres"
    MAIL = "mail"
    YOOKASSA = "yookassa"
    NOTIFICATIONS = "notifications"
    STORAGE = "storage"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Planned:
    """Fault `number` begins `at` seconds after the load and lasts `seconds`. Without a `target` there is but one."""

    number: int
    at: float
    kind: str
    group: Group
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that came about. `pids` are the processes that it hit, of those whose attempts it may have cut off.

    `note` says what it did there, and `failed` why it could not be done.
    """

    number: int
    kind: str
    target: str
    began: datetime
    ended: datetime
    pids: frozenset[int] = frozenset()
    note: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Until when, and how, a fault can be the cause of something."""

    # Whose processes were hit, or everybody who talks to a service that was away.
    by_pid: bool
    # How much longer its effect lasts: connections are made anew, lines are worked off.
    lingers: timedelta = field(default=timedelta(0))


# What can part a mail that was accepted from its outcome, so that it is sent again: its attempt died or slept, the mail
# server's word did not come through, or the outcome could not be written. Nothing else is an explanation.
CUTS_OFF: dict[str, Reach] = {
    "worker_kill": Reach(by_pid=True),
    "parent_kill": Reach(by_pid=True),
    "worker_stop": Reach(by_pid=True, lingers=timedelta(seconds=2)),
    "worker_starve": Reach(by_pid=True, lingers=timedelta(seconds=2)),
    "child_kill": Reach(by_pid=True),
    "child_stop": Reach(by_pid=True, lingers=timedelta(seconds=2)),
    "postgres_fast": Reach(by_pid=False, lingers=timedelta(seconds=3)),
    "postgres_immediate": Reach(by_pid=False, lingers=timedelta(seconds=3)),
    "postgres_backend": Reach(by_pid=False, lingers=timedelta(seconds=3)),
    "mail_kill": Reach(by_pid=False, lingers=timedelta(seconds=1)),
    "mail_outage": Reach(by_pid=False, lingers=timedelta(seconds=1)),
    "mail_stop": Reach(by_pid=False, lingers=timedelta(seconds=1)),
}
