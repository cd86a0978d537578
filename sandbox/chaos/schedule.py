"""Which faults come when: the seed decides, and nothing else does.

The same seed gives the same schedule, and not the same run: what a fault meets is up to the machine.
"""

import random
from dataclasses import dataclass

from sandbox.chaos.happened import Group, Planned
from sandbox.chaos.surroundings import DISPATCH_LEASE, LIMITS, MAIL_LEASE

# Between two faults, and after the last one of a group before the next: what was hit comes back in between.
PAUSE_SECONDS = (1.5, 5.0)
REST_SECONDS = 4.0
FIRST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how long it lasts, and how often it is in the deck."""

    name: str
    group: Group
    seconds: tuple[float, float] = (0.0, 0.0)
    targets: tuple[str, ...] = ("",)
    cards: int = 1


_BRIDGES, _WORKERS, _QUEUES = ("bridge-1", "bridge-2"), ("worker-1", "worker-2"), tuple(LIMITS)
# Past the lease, so that somebody else has begun when it goes on.
_PAST_DISPATCH = (DISPATCH_LEASE + 1.0, DISPATCH_LEASE + 4.0)
_PAST_RUN = (MAIL_LEASE + 1.0, MAIL_LEASE + 3.0)
# At most: it ends when somebody else has begun, who has a backlog to work off.
_UNTIL_OTHERS_RUN = (MAIL_LEASE + 6.0, MAIL_LEASE + 10.0)
_OUTAGE = (4.0, 8.0)

KINDS = (
    Kind("web_kill", Group.WEB),
    Kind("web_child_kill", Group.WEB),
    Kind("web_stop", Group.WEB, (2.0, 5.0)),
    Kind("web_restart", Group.WEB),
    Kind("web_starve", Group.WEB, (3.0, 6.0)),
    Kind("bridge_kill", Group.BRIDGE, targets=_BRIDGES, cards=2),
    Kind("bridge_stop", Group.BRIDGE, _PAST_DISPATCH, _BRIDGES),
    Kind("bridge_restart", Group.BRIDGE, targets=_BRIDGES),
    Kind("bridge_starve", Group.BRIDGE, (3.0, 6.0), _BRIDGES),
    Kind("worker_kill", Group.WORKER, targets=_WORKERS),
    Kind("worker_stop", Group.WORKER, _UNTIL_OTHERS_RUN, _WORKERS, cards=3),
    Kind("worker_restart", Group.WORKER, targets=_WORKERS),
    Kind("worker_starve", Group.WORKER, (4.0, 8.0), _WORKERS),
    Kind("parent_kill", Group.WORKER, targets=_WORKERS),
    Kind("child_kill", Group.WORKER, targets=_WORKERS, cards=2),
    Kind("child_stop", Group.WORKER, _PAST_RUN, _WORKERS),
    Kind("beat_kill", Group.BEAT),
    Kind("beat_stop", Group.BEAT, (5.0, 10.0)),
    Kind("beat_restart", Group.BEAT),
    Kind("broker_kill", Group.BROKER, (0.5, 3.0)),
    Kind("broker_wipe", Group.BROKER, (0.5, 3.0)),
    Kind("broker_flush", Group.BROKER),
    Kind("broker_stop", Group.BROKER, (2.0, 5.0)),
    Kind("broker_double", Group.BROKER, (3.0, 5.0), cards=2),
    Kind("postgres_fast", Group.POSTGRES, (0.0, 3.0)),
    Kind("postgres_immediate", Group.POSTGRES, (0.0, 3.0)),
    Kind("postgres_backend", Group.POSTGRES),
    Kind("mail_kill", Group.MAIL, (0.0, 1.0)),
    Kind("mail_outage", Group.MAIL, _OUTAGE),
    Kind("mail_stop", Group.MAIL, (2.0, 6.0)),
    Kind("yookassa_slow", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_silent", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_500", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_broken", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_reset", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_unheard", Group.YOOKASSA, (2.0, 5.0)),
    Kind("yookassa_outage", Group.YOOKASSA, _OUTAGE),
    Kind("notifications_copied", Group.NOTIFICATIONS, (5.0, 10.0)),
    Kind("notifications_reversed", Group.NOTIFICATIONS, (4.0, 8.0)),
    Kind("notifications_late", Group.NOTIFICATIONS, (5.0, 10.0)),
    Kind("storage_slow", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_silent", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_500", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_broken", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_reset", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_truncated", Group.STORAGE, (2.0, 5.0)),
    Kind("storage_outage", Group.STORAGE, _OUTAGE),
    Kind("queue_paused", Group.QUEUE, (3.0, 6.0), _QUEUES),
)


def make_schedule(seed: int, seconds: float) -> list[Planned]:
    """The faults of a load of `seconds`. A whole deck comes before a new one; what has a busy group lets others go."""
    draw = random.Random(seed)  # noqa: S311 # It has to be drawn again.
    deck: list[Kind] = []
    free_at: dict[Group, float] = {}
    planned: list[Planned] = []
    at = FIRST_SECONDS
    while at < seconds:
        if not deck:
            deck = [kind for kind in KINDS for _ in range(kind.cards)]
            draw.shuffle(deck)
        place = next((n for n, kind in enumerate(deck) if free_at.get(kind.group, 0.0) <= at), None)
        if place is not None:
            kind = deck.pop(place)
            lasts = round(draw.uniform(*kind.seconds), 2)
            target = draw.choice(kind.targets)
            planned.append(Planned(len(planned) + 1, round(at, 2), kind.name, kind.group, target, lasts))
            free_at[kind.group] = at + lasts + REST_SECONDS
        at += draw.uniform(*PAUSE_SECONDS)
    return planned
