"""From the commit of a message to the start of its task on an idle system, by the kind of wake-up."""

import random
import time
from collections.abc import Callable
from datetime import datetime

from balansity.sandbox.bench.report import Figure, median, percentile, show
from balansity.sandbox.bench.rig import Rig, await_true, execute, rig, send, value
from balansity.sandbox.probe.apps import QUEUE
from bridge import wakeup
from bridge.wakeup import Method

MESSAGES = 150
ROUNDS = 3
POLLED = 4


def run() -> bool:
    """Our trigger, pgmq's, and polling take turns."""
    delays: dict[str, list[float]] = {"trigger": [], "pgmq": [], "polling": []}
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
                delays[kind] += _measure(built, MESSAGES if kind != "polling" else POLLED)
                producers[kind].append(_produce())
                print(f"round {number}, {kind}: p50 {median(delays[kind]):,.1f} ms", flush=True)
    return show(
        "wakeup",
        [
            Figure("our trigger, p50", median(delays["trigger"]), "ms", most=10),
            Figure("our trigger, p99", percentile(delays["trigger"], 99), "ms", most=30),
            Figure("pgmq's trigger, p50", median(delays["pgmq"]), "ms"),
            Figure("pgmq's trigger, p99", percentile(delays["pgmq"], 99), "ms"),
            Figure("polling every 5 s, p50", median(delays["polling"]), "ms"),
            Figure("producer, no trigger", median(producers["polling"]), "sends/s"),
            Figure("producer, our trigger", median(producers["trigger"]), "sends/s"),
            Figure("producer, pgmq's trigger", median(producers["pgmq"]), "sends/s"),
        ],
        notes=[f"{MESSAGES} messages a round ({POLLED} polled), {ROUNDS} rounds in turn; start = the handler runs"],
    )


def _measure(built: Rig, count: int) -> list[float]:
    bridge = built.start_bridge()
    send(1, '{"note": true}')
    await_true(lambda: value("SELECT count(*) FROM probe_proberun WHERE recorded") == 1)
    delays = []
    for number in range(2, count + 2):
        # Idle means that everybody has gone back to sleep, at no fixed phase of the polling.
        time.sleep(0.03 if count > POLLED else random.uniform(0.5, 5.0))
        sent = time.time()
        send(1, '{"note": true}')
        await_true(lambda number=number: value("SELECT count(*) FROM probe_proberun WHERE recorded") == number)  # type: ignore[misc]
        started: datetime = value("SELECT max(started_at) FROM probe_proberun")
        delays.append((started.timestamp() - sent) * 1000)
    built.stop(bridge)
    return delays


def _produce() -> float:
    """Sends a second of one producer that commits each message."""
    started, count = time.monotonic(), 500
    for _ in range(count):
        send(1)
    seconds = time.monotonic() - started
    execute(f"TRUNCATE pgmq.q_{QUEUE}")
    return count / seconds
