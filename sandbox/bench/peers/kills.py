"""Twenty kills without warning, and then the books: what was lost, what was done twice, by the rows of the work itself.

Two workers of half the size each, so that one goes on while the other starts again, as in production. A kill takes a
whole worker, as when its machine dies, or the process alone that does the work; which of the two, and when, comes from
a seed. A victim has done some work since its start. Each piece takes 20 ms and writes its row in the middle of them.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.bench.peers.costs import living
from sandbox.bench.peers.crew import Crew, await_true, send_group
from sandbox.bench.peers.peer import Part
from sandbox.bench.peers.place import Failed
from sandbox.bench.peers.senders import Work
from sandbox.bench.peers.stage import Stage

KILLS = 20
LEASE = 15
SEED = 12
WORK = Work(ms=20, write=True, record=True)
# So many wait that none of the kills meets an empty queue.
IN_HAND, IN_HAND_SLOW = 200, 60
# Leases run out, and what is left is done: then whatever has no row is lost.
SETTLE_SECONDS = 20.0
# Celery on Redis delivers again within its visibility timeout and a hundred seconds: what is still there gets so long.
SETTLE_LEFT_SECONDS = 130.0


def kills(stage: Stage) -> dict[str, Any]:
    """One peer, twenty kills. `stuck` is what its own tables still hold when nothing has moved any more."""
    stage.peer.clear(stage.place)
    chance = random.Random(SEED)  # A schedule that can be repeated.
    siege = _Siege(stage, Crew(stage.peer, stage.place, LEASE))
    try:
        for part in halved(stage.peer.parts(stage.place, LEASE) for _ in range(2)):
            siege.crew.start_part(part)
        victims = [number for number, (part, _) in enumerate(siege.crew.running) if part.role == "worker"]
        done = []
        for turn in range(KILLS):
            number = victims[turn % len(victims)]
            siege.await_work(number)
            time.sleep(chance.uniform(0.05, 0.4))
            done.append(siege.kill(number, alone=chance.random() < 0.5))
        settled_after = _settle(stage, siege.sent)
    finally:
        siege.crew.kill()
    found = books(stage.place.value, sent=siege.sent, with_outcome=stage.peer.records)
    left = stage.peer.left(stage.place)
    return {"kills": done, "sent": siege.sent, "settled_after": settled_after, **found, "stuck": left}


@dataclass
class _Siege:
    """Workers that are killed in turn, and a queue that is never empty meanwhile."""

    stage: Stage
    crew: Crew
    sent: int = 0

    def await_work(self, number: int) -> None:
        """Wait until this worker has written a row since its start."""
        _, process = self.crew.running[number]
        if not await_true(lambda: self._has_worked(process), seconds=90, every=0.1):
            raise Failed("a worker that was started does no work")

    def kill(self, number: int, *, alone: bool) -> str:
        """Kill it, and start another one in its place; returns what was killed first."""
        part, process = self.crew.running.pop(number)
        at_work = [pid for pid in _pids(process) if self._wrote([pid])]
        child = alone and at_work[-1:] not in ([], [process.pid])
        if child:
            os.kill(at_work[-1], signal.SIGKILL)
            # Its parent sees the death and does what it does about it, before it goes the same way.
            time.sleep(0.3)
        send_group(process, signal.SIGKILL)
        process.wait(30)
        self.crew.start_part(part)
        self.crew.running.insert(number, self.crew.running.pop())
        return "child" if child else "worker"

    def _has_worked(self, process: "subprocess.Popen[bytes]") -> bool:
        self._keep_full()
        return self._wrote(_pids(process))

    def _wrote(self, pids: list[int]) -> bool:
        written = "SELECT EXISTS (SELECT FROM peer_effect WHERE pid = ANY(%s))"
        return bool(self.stage.place.value(written, [pids]))

    def _keep_full(self) -> None:
        in_hand = IN_HAND_SLOW if self.stage.peer.slow else IN_HAND
        written = self.stage.place.value("SELECT count(DISTINCT number) FROM peer_effect")
        missing = in_hand - (self.sent - written)
        # Not one by one: a producer's own cost is not what is looked at.
        if missing * 4 > in_hand:
            self.stage.sender.send(missing, WORK, first=self.sent + 1)
            self.sent += missing


def halved(crews: Iterable[Sequence[Part]]) -> list[Part]:
    """Each worker of each crew at half its size; what hands out work is there once."""
    parts: list[Part] = []
    for part in (part for crew in crews for part in crew):
        if part.role == "worker" or all(part.role != other.role for other in parts):
            words = tuple(_HALVES.get(word, word) for word in part.command)
            parts.append(replace(part, command=_one_child(words)))
    return parts


_HALVES = {"--concurrency=2": "--concurrency=1", "--processes=2": "--processes=1"}


def _one_child(command: tuple[str, ...]) -> tuple[str, ...]:
    words = list(command)
    if "-c" in words:
        words[words.index("-c") + 1] = "1"
    return tuple(words)


def _pids(process: "subprocess.Popen[bytes]") -> list[int]:
    return [one.pid for one in living(process.pid)]


def _settle(stage: Stage, sent: int) -> float:
    """Wait until each message has its row and none is left, or nothing has happened for long."""
    began = moved = time.monotonic()
    last = (-1, -1)
    while time.monotonic() - moved < (SETTLE_LEFT_SECONDS if last[1] > 0 else SETTLE_SECONDS):
        now = (stage.place.value("SELECT count(*) FROM peer_effect"), stage.peer.left(stage.place))
        if now[1] == 0 and stage.place.value("SELECT count(DISTINCT number) FROM peer_effect") >= sent:
            break
        if now != last:
            last, moved = now, time.monotonic()
        time.sleep(0.25)
    return round(time.monotonic() - began, 1)


def books(value: Callable[..., Any], *, sent: int, with_outcome: bool) -> dict[str, int]:
    """What the rows of the work say; `value` asks the database."""
    twice = "SELECT count(*) FROM (SELECT number FROM {} GROUP BY 1 HAVING count(*) > 1) AS twice"
    there = "SELECT count(DISTINCT number) FROM {}"
    found = {"lost": sent - value(there.format("peer_effect")), "doubled": value(twice.format("peer_effect"))}
    if with_outcome:
        # Written in the transaction of the outcome, as our handlers write: this row is there once or not at all.
        found["recorded_lost"] = sent - value(there.format("peer_recorded"))
        found["recorded_doubled"] = value(twice.format("peer_recorded"))
    return found
