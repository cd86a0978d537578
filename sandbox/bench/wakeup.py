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


def run() -> bool:
    """Our trigger, pgmq's, polling and bare Celery take turns."""
    delays: dict[str, list[float]] = {"trigger": [], "pgmq": [], "polling": [], "bare": []}
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
                delays[kind] += _delays(_commit_message, POLLED if kind == "polling" else MESSAGES)
                built.stop(bridge)
                producers[kind].append(_produce())
            built.clear()
            delays["bare"] += _delays(_publish_task, MESSAGES)
            print(
                f"round {number}: " + ", ".join(f"{kind} {median(values):,.1f} ms" for kind, values in delays.items())
            )
    return show(
        "wakeup",
        [
            Figure("our trigger, p50", median(delays["trigger"]), "ms", most=10),
            Figure("our trigger, p99", percentile(delays["trigger"], 99), "ms", most=30),
            Figure("pgmq's trigger, p50", median(delays["pgmq"]), "ms"),
            Figure("pgmq's trigger, p99", percentile(delays["pgmq"], 99), "ms"),
            Figure("polling every 5 s, p50", median(delays["polling"]), "ms"),
            Figure("bare Celery, p50", median(delays["bare"]), "ms"),
            Figure("bare Celery, p99", percentile(delays["bare"], 99), "ms"),
            Figure("our trigger / bare Celery, p50", median(delays["trigger"]) / median(delays["bare"]), "times"),
            Figure("producer, no trigger", median(producers["polling"]), "sends/s"),
            Figure("producer, our trigger", median(producers["trigger"]), "sends/s"),
            Figure("producer, pgmq's trigger", median(producers["pgmq"]), "sends/s"),
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
