"""What a read costs with many rows in the way, hidden or visible, against `pgmq.read` on the same table."""

import time

from bridge.pgmq import pgmq_queue
from sandbox.bench.report import Figure, median, show
from sandbox.bench.rig import execute, rig, value
from sandbox.probe.apps import QUEUE

SIZES = (1_000, 100_000, 1_000_000)
READS = 30
ROUNDS = 3


def run() -> bool:
    """Each size once hidden (leased or delayed, in front of the visible ones) and once visible."""
    costs: dict[tuple[str, int], list[float]] = {}
    theirs: dict[int, float] = {}
    with rig("backlog"):
        for size in SIZES:
            for state, hidden, visible in (("hidden", size, 5_000), ("visible", 0, size)):
                _fill(hidden, visible)
                costs[state, size] = [median([_ours() for _ in range(READS)]) for _ in range(ROUNDS)]
                if state == "hidden":
                    theirs[size] = median([_pgmq() for _ in range(READS // 4)])
                print(f"{size:,} {state}: {median(costs[state, size]):.2f} ms a read", flush=True)
    figures = [Figure.of(f"{size:,} {state}", values, "ms a read") for (state, size), values in costs.items()]
    figures += [Figure(f"pgmq.read, {size:,} hidden", cost, "ms a read") for size, cost in theirs.items()]
    for state in ("hidden", "visible"):
        most, least = costs[state, SIZES[-1]], costs[state, SIZES[0]]
        figures.append(Figure.ratio(f"growth, {state}", most, least, most=3))
    return show("backlog", figures, notes=[f"batches of 10; median of {ROUNDS} medians of {READS} reads"])


def _fill(hidden: int, visible: int) -> None:
    execute(f"TRUNCATE pgmq.q_{QUEUE}")
    insert = f"INSERT INTO pgmq.q_{QUEUE} (vt, message) SELECT now() + %s::interval, '{{}}' FROM generate_series(1, %s)"
    execute(insert, ["1 day", hidden])
    execute(insert, ["0", visible])
    execute(f"VACUUM ANALYZE pgmq.q_{QUEUE}")
    execute("SELECT pg_sleep(0.1)")


def _ours() -> float:
    started = time.perf_counter()
    messages = pgmq_queue(QUEUE).read(limit=10, lease=3600)
    cost = (time.perf_counter() - started) * 1000
    if len(messages) != 10:
        raise SystemExit("a read found fewer than ten messages")
    return cost


def _pgmq() -> float:
    started = time.perf_counter()
    value("SELECT count(*) FROM pgmq.read(%s, 3600, 10)", [QUEUE])
    return (time.perf_counter() - started) * 1000
