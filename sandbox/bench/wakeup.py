"""From the commit of a message to the start of its task on an idle system, by the kind of wake-up."""

import random
import time
from collections.abc import Callable
from datetime import datetime

from celery import current_app

from bridge import wakeup
from bridge.wakeup import Method
from sandbox.bench.report import Figure, median, percentile, show
from sandbox.bench.rig import await_true, execute, rig, send, value
from sandbox.probe.apps import QUEUE

MESSAGES = 150
ROUNDS = 3
POLLED = 4
# What bare Celery takes, which commits nothing and whose message is worth nothing without its broker.
MOST_TIMES = 1.5


def run() -> bool:
    """Our trigger, pgmq's, polling and bare Celery take turns."""
    rounds: dict[str, list[list[float]]] = {"trigger": [], "pgmq": [], "polling": [], "bare": []}
    producers: dict[str, list[float]] = {"trigger": [], "pgmq": [], "polling": []}
    kinds: dict[str, Callable[[], object]] = {
        "trigger": lambda: wakeup.install(QUEUE, Method.TRIGGER),
        "pgmq": lambda: wakeup.install(QUEUE, Method.PGMQ),
        "polling": lambda: wakeup.remove(QUEUE),
    }
    with rig("wakeup") as built:
        built.start_worker()
        for number in range(1, ROUNDS + 1):
            for kind, prepare in kinds.items():
                prepare()
                built.clear()
                bridge = built.start_bridge()
                rounds[kind].append(_delays(_commit_message, POLLED if kind == "polling" else MESSAGES))
                built.stop(bridge)
                producers[kind].append(_produce())
            built.clear()
            rounds["bare"].append(_delays(_publish_task, MESSAGES))
            told = ", ".join(f"{kind} {median(values[-1]):,.1f} ms" for kind, values in rounds.items())
            print(f"round {number}: {told}", flush=True)
    halves = {kind: [percentile(values, 50) for values in found] for kind, found in rounds.items()}
    worst = {kind: [percentile(values, 99) for values in found] for kind, found in rounds.items()}
    return show(
        "wakeup",
        [
            Figure.of("our trigger, p50", halves["trigger"], "ms", most=10),
            Figure.of("our trigger, p99", worst["trigger"], "ms", most=30),
            Figure.of("pgmq's trigger, p50", halves["pgmq"], "ms"),
            Figure.of("pgmq's trigger, p99", worst["pgmq"], "ms"),
            Figure.of("polling every 5 s, p50", halves["polling"], "ms"),
            Figure.of("bare Celery, p50", halves["bare"], "ms"),
            Figure.of("bare Celery, p99", worst["bare"], "ms"),
            Figure.ratio("our trigger / bare Celery, p50", halves["trigger"], halves["bare"], most=MOST_TIMES),
            Figure.ratio("our trigger / bare Celery, p99", worst["trigger"], worst["bare"], most=MOST_TIMES),
            Figure.of("producer, no trigger", producers["polling"], "sends/s"),
            Figure.of("producer, our trigger", producers["trigger"], "sends/s"),
            Figure.of("producer, pgmq's trigger", producers["pgmq"], "sends/s"),
        ],
        notes=[
            f"{MESSAGES} messages a round ({POLLED} polled), {ROUNDS} rounds in turn, on an idle system;",
            "from the confirmed commit (bare Celery: from the call that publishes) to the first line of the handler",
        ],
    )


def _delays(start: Callable[[int], float], count: int) -> list[float]:
    """Milliseconds from what `start` returns (Unix time) to the start of the work, for one piece of work at a time."""
    delays = []
    for number in range(count + 1):
        # Idle means that everybody has gone back to sleep; polling is met at no fixed phase.
        time.sleep(0.04 if count > POLLED else random.uniform(0.5, 5.0))
        started_at = start(number)
        # Not asked for at once: the two processors have better things to do meanwhile.
        time.sleep(0.02)
        await_true(lambda number=number: value("SELECT count(*) FROM probe_proberun WHERE recorded") > number)  # type: ignore[misc]
        began: datetime = value("SELECT max(started_at) FROM probe_proberun")
        delays.append((began.timestamp() - started_at) * 1000)
    # The first one opens connections and imports code.
    return delays[1:]


def _commit_message(_number: int) -> float:
    send(1, '{"note": true}')
    # The commit is confirmed: what the disk took for it belongs to the producer.
    return time.time()


def _publish_task(number: int) -> float:
    started_at = time.time()
    current_app.send_task("probe.stamp", args=[number], queue="probe", ignore_result=True)
    return started_at


def _produce() -> float:
    """Sends a second of one producer that commits each message."""
    started, count = time.monotonic(), 500
    for _ in range(count):
        send(1)
    seconds = time.monotonic() - started
    execute(f"TRUNCATE pgmq.q_{QUEUE}")
    return count / seconds
