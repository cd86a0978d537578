"""Messages a second, from a backlog to the archive, against bare Celery and against the bridge one writes first."""

import time

from celery import current_app

from sandbox.bench.report import Figure, show
from sandbox.bench.rig import Rig, await_empty, await_true, install_trigger, rig, send, value
from sandbox.probe.apps import QUEUE

BACKLOG = 10_000
ROUNDS, WARM_UP = 3, 200
# The queue's length is asked for this often: rare enough not to be what is measured.
LOOK_SECONDS = 0.02


# Work that is nothing but rows shares transactions; with an effect outside each message has its own.
TOGETHER, ALONE = "bridge, rows only", "bridge, one by one"
BARE, NAIVE = "bare Celery, tasks already in Redis", "naive bridge"


def run() -> bool:
    """One worker with two children; the four kinds take turns, and each has a worker that has just done work."""
    seconds: dict[str, list[float]] = {kind: [] for kind in (TOGETHER, ALONE, BARE, NAIVE)}
    kinds = ((TOGETHER, "true", _bridge), (ALONE, "false", _bridge), (BARE, "false", _bare), (NAIVE, "false", _naive))
    with rig("delivery") as built:
        install_trigger()
        for number in range(1, ROUNDS + 1):
            for kind, transactional, measure in kinds:
                worker = built.start_worker(PROBE_TRANSACTIONAL=transactional)
                _bare(built, WARM_UP)
                built.clear()
                seconds[kind].append(measure(built, BACKLOG))
                built.stop(worker)
                print(f"round {number}, {kind}: {BACKLOG / seconds[kind][-1]:,.0f} messages/s", flush=True)
    rates = {kind: [BACKLOG / each for each in values] for kind, values in seconds.items()}
    return show(
        "delivery",
        [
            *(Figure.of(kind, values, "messages/s") for kind, values in rates.items()),
            Figure.ratio("rows only / bare Celery", rates[TOGETHER], rates[BARE], least=4),
            Figure.ratio("one by one / bare Celery", rates[ALONE], rates[BARE], least=0.8),
            Figure.ratio("one by one / naive bridge", rates[ALONE], rates[NAIVE], least=1.3),
        ],
        notes=[f"backlog of {BACKLOG:,} messages, one worker with -c 2, median of {ROUNDS} rounds taken in turn"],
    )


def _bridge(built: Rig, count: int) -> float:
    bridge = built.start_bridge()
    started = time.monotonic()
    send(count)
    seconds = _until_archived(started)
    built.stop(bridge)
    if value(f"SELECT count(*) FROM pgmq.a_{QUEUE} WHERE headers #>> '{{bridge,outcome}}' = 'succeeded'") != count:
        raise SystemExit("not every message was archived as succeeded")
    return seconds


def _bare(built: Rig, count: int) -> float:
    with current_app.producer_or_acquire() as producer, producer.batch():
        for _ in range(count):
            current_app.send_task("probe.bare", queue="held", producer=producer, ignore_result=True)
    started = time.monotonic()
    # All tasks at once appear in the line of the waiting worker.
    built.broker.rename("held", "probe")
    await_true(lambda: not built.broker.llen("probe") and not built.broker.hlen("unacked"), every=LOOK_SECONDS)
    return time.monotonic() - started


def _naive(built: Rig, count: int) -> float:
    naive = built.start("-m", "sandbox.bench.naive")
    await_true(lambda: bool(built.broker.getdel("naive-is-ready")), seconds=60)
    started = time.monotonic()
    send(count)
    seconds = _until_archived(started)
    naive.kill()
    naive.wait()
    return seconds


def _until_archived(started: float) -> float:
    await_empty(every=LOOK_SECONDS)
    return time.monotonic() - started
