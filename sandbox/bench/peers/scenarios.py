"""What is asked of each peer. A scenario gives the raw values of one peer in one round; nothing is judged here."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from sandbox.bench.peers import costs
from sandbox.bench.peers.crew import Crew, await_true
from sandbox.bench.peers.kills import kills
from sandbox.bench.peers.peer import Peer
from sandbox.bench.peers.place import Failed, Place
from sandbox.bench.peers.senders import NOTHING, Work
from sandbox.bench.peers.stage import Stage

BACKLOG = 10_000
# A peer that is not through by then is measured by what it did until then.
MOST_SECONDS = 10.0
START_SECONDS = 60.0
HIDDEN = 1_000_000
RATE, TRICKLE_SECONDS = 20, 10
IDLE_SECONDS = 8.0
XMIN_SECONDS, WINDOW_SECONDS, XMIN_LOAD = 60.0, 10.0, 5_000
# The Node worker does two a second: it gets three cycles of work, and one message a second to pick up.
SLOW_BACKLOG, SLOW_RATE = 30, 1


@contextmanager
def at_work(stage: Stage, *, fresh: bool = True) -> Iterator[Crew]:
    """The peer's processes, started and warm: each has done some work, and none is waiting."""
    if fresh:
        stage.peer.clear(stage.place)
    crew = Crew(stage.peer, stage.place)
    crew.start()
    try:
        warm_up(stage, crew)
        yield crew
    finally:
        crew.kill()


def warm_up(stage: Stage, crew: Crew, first: int = 1_000_000) -> None:
    """Eight messages, so that each of two children opens its connections and imports its code."""
    count = 8
    stage.sender.send(count, Work(ms=20, write=True), first=first)
    written = "SELECT count(*) FROM peer_effect WHERE number >= %s AND number < %s"
    _await(lambda: bool(stage.place.value(written, [first, first + count]) >= count), crew, f"the first {count}")
    _await(lambda: not stage.peer.busy(stage.place), crew, f"the end of the first {count}")
    if crew.ended():
        raise Failed("one of its processes ended at once")


def _await(is_done: Callable[[], bool], crew: Crew, what: str) -> None:
    if not await_true(lambda: is_done() or crew.ended(), seconds=START_SECONDS, every=0.05):
        raise Failed(f"{what} messages took longer than {START_SECONDS:.0f} s")


def drained(stage: Stage, crew: Crew, count: int, work: Work, first: int = 1) -> dict[str, Any]:
    """A backlog that is there at once: its processes are stopped while it is sent, then go on together."""
    peer, place = stage.peer, stage.place
    crew.signal(signal.SIGSTOP)
    before = costs.read(stage.server, crew, place)
    stage.sender.send(count, work, first=first)
    sent = costs.read(stage.server, crew, place)
    crew.signal(signal.SIGCONT)
    began = time.monotonic()
    through = await_true(lambda: not peer.busy(place), seconds=3 * MOST_SECONDS if peer.slow else MOST_SECONDS)
    seconds = time.monotonic() - began
    spent = costs.read(stage.server, crew, place)
    done = count if through else count - peer.left(place)
    return {
        "count": count,
        "done": done,
        "seconds": round(seconds, 4),
        "rate": round(done / seconds, 3),
        "sending": sent.since(before),
        "working": spent.since(sent),
    }


def noop(stage: Stage) -> dict[str, Any]:
    """Ten thousand messages that ask for nothing."""
    with at_work(stage) as crew:
        return drained(stage, crew, SLOW_BACKLOG if stage.peer.slow else BACKLOG, NOTHING)


def work(stage: Stage) -> dict[str, Any]:
    """A row and nothing else, 1 ms, 20 ms; and the memory of two that run."""
    cells = {"row": (2_000, Work(write=True)), "1 ms": (1_000, Work(ms=1)), "20 ms": (300, Work(ms=20))}
    found: dict[str, Any] = {}
    with at_work(stage) as crew:
        for name, (count, asked) in cells.items():
            found[name] = drained(stage, crew, 10 if stage.peer.slow else count, asked)
            await_true(lambda: not stage.peer.busy(stage.place), seconds=30)
        stage.sender.send(4, Work(ms=1000))
        time.sleep(1.0)
        found["memory"] = costs.memory(crew)
    return found


def trickle(stage: Stage) -> dict[str, Any]:
    """One by one, so that all are idle in between: from the call that sends to the first line of the work."""
    rate = SLOW_RATE if stage.peer.slow else RATE
    called: list[float] = []
    with at_work(stage):
        began = time.monotonic()
        for number in range(rate * TRICKLE_SECONDS):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            called.append(stage.sender.send(1, Work(write=True), first=number))
        asked = "SELECT count(*) FROM peer_effect WHERE number < %s"
        await_true(lambda: stage.place.value(asked, [len(called)]) >= len(called), seconds=30, every=0.1)
        with stage.place.connection.cursor() as cursor:
            cursor.execute(
                "SELECT number, min(started_at) FROM peer_effect WHERE number < %s GROUP BY 1", [len(called)]
            )
            started = dict(cursor.fetchall())
    delays = [round((started[number] - at) * 1000, 2) for number, at in enumerate(called) if number in started]
    return {"count": len(called), "per_second": rate, "delays_ms": delays}


def hidden(stage: Stage) -> dict[str, Any]:
    """Two thousand messages that write a row, behind a million that are not due for a month.

    The million are made once, and anew where a round has left anything undone.
    """
    if not stage.filled:
        stage.peer.clear(stage.place)
        stage.peer.hide(stage.place, HIDDEN)
    # Also when the warming up is not done in time.
    stage.filled = False
    stage.place.value("TRUNCATE peer_effect")
    with at_work(stage, fresh=False) as crew:
        count = 10 if stage.peer.slow else 2_000
        crew.signal(signal.SIGSTOP)
        stage.sender.send(count, Work(write=True))
        crew.signal(signal.SIGCONT)
        began = time.monotonic()
        # Counted by what the work wrote: whether the queue is empty would cost a look at a million rows.
        written = "SELECT count(DISTINCT number) FROM peer_effect WHERE number <= %s"
        await_true(lambda: stage.place.value(written, [count]) >= count, seconds=MOST_SECONDS)
        seconds = time.monotonic() - began
        done = stage.place.value(written, [count])
    # What is left stands before all that the next round sends, its warming up first.
    stage.filled = stage.peer.left(stage.place) == 0
    return {"count": count, "done": done, "seconds": round(seconds, 4), "rate": round(done / seconds, 3)}


def xmin(stage: Stage) -> dict[str, Any]:
    """A minute's load beside a transaction that lets nothing be cleaned up that dies after its first look."""
    peer, place = stage.peer, stage.place
    windows = []
    with at_work(stage), psycopg2.connect(place.url, connect_timeout=10) as holder:
        holder.set_session(isolation_level="REPEATABLE READ")
        with holder.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM peer_effect")
            # Who publishes one by one sends the first load to a queue to copy from: no window pays for that.
            stage.sender.send(10 if peer.slow else XMIN_LOAD)
            left, sent = peer.left(place), 0
            for _ in range(int(XMIN_SECONDS / WINDOW_SECONDS)):
                began, at_first, sent = time.monotonic(), left, 0
                while time.monotonic() - began < WINDOW_SECONDS:
                    if _runs_dry(peer, place):
                        count = 10 if peer.slow else XMIN_LOAD
                        stage.sender.send(count)
                        sent += count
                    time.sleep(0.2)
                left = peer.left(place)
                windows.append(round((at_first + sent - left) / (time.monotonic() - began), 2))
            cursor.execute("SELECT 1")
        holder.rollback()
    return {"rates": windows}


def _runs_dry(peer: Peer, place: Place) -> bool:
    least = 1 if peer.slow else 2_500
    return int(place.value(f"SELECT count(*) FROM ({peer.due} LIMIT {least}) AS due")) < least


def idle(stage: Stage) -> dict[str, Any]:
    """Nothing to do: what it costs all the same."""
    with at_work(stage) as crew:
        # A backend that falls idle tells its last transactions up to ten seconds later: those of the warming up, and
        # ours, which asked how far it was, are not the peer's idleness.
        stage.place.value("SELECT pg_stat_force_next_flush()")
        time.sleep(11.0)
        before, began = costs.read(stage.server, crew, stage.place), time.monotonic()
        time.sleep(IDLE_SECONDS)
        spent = costs.read(stage.server, crew, stage.place).since(before)
        return {"seconds": round(time.monotonic() - began, 3), **spent, "memory": costs.memory(crew)}


@dataclass(frozen=True, slots=True)
class Scenario:
    measure: Callable[[Stage], dict[str, Any]]
    # Where one round takes minutes, one is made unless more are asked for.
    rounds: int = 5
    # So many seconds for one round of all peers, to plan with.
    seconds: int = 120


SCENARIOS: dict[str, Scenario] = {
    "noop": Scenario(noop),
    "work": Scenario(work),
    "trickle": Scenario(trickle),
    "hidden": Scenario(hidden),
    "idle": Scenario(idle, seconds=170),
    "xmin": Scenario(xmin, rounds=1, seconds=400),
    "kills": Scenario(kills, rounds=1, seconds=540),
}
