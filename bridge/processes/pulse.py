"""How a process without a database of its own says that it lives: a note in Redis, which the bridges write down.

Beat has no database, and a worker's main process, which forks, holds no session. Both do nothing without Redis. Times
are those of Redis, so no clock of any machine counts. Knows no models: beat and the web load it before there are any.
"""

import json
import logging
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import redis

from bridge.brief_redis import brief_redis

logger = logging.getLogger(__name__)

KEY = "balansity.processes"
INTERVAL_SECONDS = 10
# Three missed beats and a little: a slow write is no death.
DEAD_AFTER = timedelta(seconds=35)
FORGET_AFTER = timedelta(days=1)
# Whoever beats is busy with other things, and nobody waits for a note.
PATIENCE_SECONDS = 1.0
AWAY = (redis.RedisError, OSError)


class Kind(StrEnum):
    BRIDGE = "bridge"
    WORKER = "worker"
    BEAT = "beat"
    WEB = "web"


def process_name(started: datetime) -> str:
    """Of this very run: a number comes again, and a container's host after its restart as well."""
    return f"{socket.gethostname()}:{os.getpid()}@{started:%Y-%m-%dT%H:%M:%S}"


class Pulse:
    """The note of this process. Whatever becomes of it, the process goes on."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._started = datetime.now(UTC)
        self.name = f"{process_name(self._started)}/{kind}"
        self._is_heard = True
        self._has_stopped = False

    def beat(self, *, waits_for: str = "", children: int = 0) -> None:
        """Say that it lives, and how many tasks it does at the same time, if it does any.

        That it ends in order is its last word, though timers may beat until the end.
        """
        if not self._has_stopped:
            self._note(waits_for=waits_for[:200], children=children)
        elif self._is_heard:
            return
        # Said amid this, by a signal or another thread, it was written over; said while Redis was away, it was lost.
        if self._has_stopped:
            self._note(stopped=True)

    def stop(self) -> None:
        """Say that it ends in order."""
        self._has_stopped = True
        self._note(stopped=True)

    def _note(self, **values: object) -> None:
        note: dict[str, object] = {"kind": self._kind.value, "started": self._started.timestamp(), **values}
        try:
            with notes() as client:
                note["at"] = _now(client)
                client.hset(KEY, self.name, json.dumps(note))
        except AWAY as error:
            if self._is_heard:
                # The text may hold an address. Whoever needs Redis says by itself what is wrong with it.
                logger.warning(
                    "nobody can tell that this process lives, as Redis takes no note: %s", type(error).__name__
                )
            self._is_heard = False
        else:
            self._is_heard = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What a process noted, and how many seconds ago. `children` is 0 where it said nothing of them."""

    name: str
    kind: Kind
    started: datetime
    age: float
    waits_for: str
    has_stopped: bool
    children: int = 0

    @property
    def is_alive(self) -> bool:
        return not self.has_stopped and self.age < DEAD_AFTER.total_seconds()


def listen() -> list[Heard]:
    """What all processes noted; forgets what is a day old. Raises what is in `AWAY`."""
    with notes() as client:
        now = _now(client)
        found: Mapping[bytes, bytes] = client.hgetall(KEY)
        heard, old = [], []
        for name, text in found.items():
            one = _read(name, text, now)
            if one is None or one.age > FORGET_AFTER.total_seconds():
                old.append(name)
            else:
                heard.append(one)
        if old:
            client.hdel(KEY, *old)
    return heard


def children_of(heard: Iterable[Heard]) -> int:
    """How many tasks all living workers do at the same time; 0 where none lives, or one does not say it."""
    told = [one.children for one in heard if one.kind is Kind.WORKER and one.is_alive]
    return sum(told) if all(told) else 0


def notes() -> "redis.Redis":
    """A connection that gives up soon."""
    return brief_redis(PATIENCE_SECONDS)


def _now(client: "redis.Redis") -> float:
    seconds, micros = client.time()
    return float(seconds + micros / 1_000_000)


def _read(name: bytes, text: bytes, now: float) -> Heard | None:
    try:
        note = json.loads(text)
        return Heard(
            name=name.decode()[:200],
            kind=Kind(note["kind"]),
            started=datetime.fromtimestamp(note["started"], UTC),
            age=max(0.0, now - float(note["at"])),
            waits_for=str(note.get("waits_for", "")),
            has_stopped=bool(note.get("stopped", False)),
            children=max(0, int(note.get("children", 0))),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
