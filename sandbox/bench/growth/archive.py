"""What an archive of a thousand, and of five million messages makes of a claim, an outcome, pages, and retention."""

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction

from sandbox.bench import looks
from sandbox.bench.report import Figure, median, percentile
from sandbox.bench.rig import Rig, await_empty, execute, install_trigger, rig, send, value
from sandbox.bench.seeding import archive_messages
from sandbox.probe.apps import QUEUE

ROWS = (1_000, 100_000, 1_000_000, 5_000_000)
MESSAGES = 300
BACKLOG = 1_000
LEASE = 600
# How much is seeded at once, while what was seeded before is added to the roll-up.
STEP = 200_000
PRUNED = 5_000
# Ninety are what ours keep; what was seeded is so old at most.
KEPT_DAYS = 80
RATE = "messages/s"


@dataclass(slots=True)
class Costs:
    """Of one size. Times are milliseconds, of each message or page."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    pages: dict[str, looks.Times] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    rates_pruned: list[float] = field(default_factory=list)
    postgres_ms: list[float] = field(default_factory=list)
    pruned_ms: list[float] = field(default_factory=list)
    rolled: float = 0.0
    megabytes: float = 0.0


def measure(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """The sizes that are asked for, in one sandbox, from the smallest to the largest."""
    sizes = sorted(options.rows or ROWS)
    found: dict[int, Costs] = {}
    with rig("growth-archive") as built:
        install_trigger()
        built.start_worker()
        bridge = built.start_bridge()
        for size in sizes:
            costs = found[size] = Costs()
            _fill(size, costs)
            _measure_delivery(built, costs, options.rounds)
            built.stop(bridge)
            costs.steps = _steps()
            looks.bring_up_to_date()
            costs.pages = looks.times()
            bridge = built.start_bridge()
            print(f"{size:,} rows: {median(costs.rates):,.0f} messages/s", flush=True)
    return [figure for size in sizes for figure in _figures(size, found[size])] + _growth(sizes, found), [
        f"{BACKLOG:,} messages without work, {options.rounds} rounds, the archive's rows over 90 days as ours are;",
        f"retention: {PRUNED:,} rows a transaction without a pause, where beat does it once an hour",
    ]


def _fill(size: int, costs: Costs) -> None:
    """Seed what is missing, and let the roll-up take it in meanwhile."""
    # What was delivered at the last size has ids as well.
    there = int(value(f"SELECT coalesce(max(msg_id), 0) FROM pgmq.a_{QUEUE}"))
    began = time.monotonic()
    seeded = threading.Event()
    with _beside(lambda: _roll_up_until(seeded)):
        for first in range(there, size, STEP):
            archive_messages(QUEUE, size, first=first + 1, last=min(first + STEP, size))
        seeded.set()
    costs.rolled = (size - there) / (time.monotonic() - began)
    execute(f"VACUUM (ANALYZE) pgmq.a_{QUEUE}")
    execute("VACUUM (ANALYZE) bridge_rolledhour, bridge_failedmessage, bridge_rolledqueue")
    costs.megabytes = value("SELECT pg_total_relation_size(%s)", [f"pgmq.a_{QUEUE}"]) / 1_000_000
    print(f"{size:,} rows are there after {time.monotonic() - began:.0f} s, {costs.megabytes:,.0f} MB", flush=True)


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread with a session of its own, and wait for its end; its error is ours."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below.
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


def _roll_up_until(seeded: threading.Event) -> None:
    from bridge.rollup.passing import roll_up  # noqa: PLC0415 # The rig sets Django up.

    while True:
        is_last = seeded.is_set()
        roll_up(QUEUE)
        if is_last:
            return
        seeded.wait(0.2)


def _measure_delivery(built: Rig, costs: Costs, rounds: int) -> None:
    """A round without, and one beside retention."""
    _deliver(BACKLOG // 10)
    for _ in range(rounds):
        before = built.postgres_seconds()
        costs.rates.append(_deliver(BACKLOG))
        costs.postgres_ms.append((built.postgres_seconds() - before) * 1000 / BACKLOG)
        ended = threading.Event()
        with _beside(lambda ended=ended: _prune_until(ended, costs.pruned_ms)):  # type: ignore[misc]
            costs.rates_pruned.append(_deliver(BACKLOG))
            ended.set()


def _deliver(count: int) -> float:
    started = time.monotonic()
    send(count)
    await_empty()
    return count / (time.monotonic() - started)


def _prune_until(ended: threading.Event, took: list[float]) -> None:
    """As beat's task does, with a week and a half less to keep, so that there is something to delete."""
    from bridge.pgmq import pgmq_queue  # noqa: PLC0415 # The rig sets Django up.

    while not ended.is_set():
        began = time.perf_counter()
        if pgmq_queue(QUEUE).prune(days=KEPT_DAYS, limit=PRUNED) == 0:
            return
        took.append((time.perf_counter() - began) * 1000)


def _steps() -> dict[str, list[float]]:
    """What is asked of Postgres for a message, from this process: how long until each answer."""
    from bridge.message import Outcome  # noqa: PLC0415 # The rig sets Django up.
    from bridge.pgmq import pgmq_queue  # noqa: PLC0415

    queue = pgmq_queue(QUEUE)
    took: dict[str, list[float]] = {"read of ten": [], "claim": [], "outcome": []}
    send(MESSAGES)
    for _ in range(MESSAGES // 10):
        began = time.perf_counter()
        deliveries = queue.read(limit=10, lease=LEASE)
        took["read of ten"].append((time.perf_counter() - began) * 1000)
        for delivery in deliveries:
            began = time.perf_counter()
            message = queue.claim(delivery.token, lease=LEASE, attempts=1, trace_id="growth")
            took["claim"].append((time.perf_counter() - began) * 1000)
            if message is None:
                raise SystemExit("a message was claimed by somebody else")
            began = time.perf_counter()
            with transaction.atomic():
                queue.finish(message, Outcome.SUCCEEDED)
            took["outcome"].append((time.perf_counter() - began) * 1000)
    return took


def _figures(size: int, costs: Costs) -> list[Figure]:
    rows = f"{size:,} rows"
    pruned = [Figure.of(f"{rows}: deleting {PRUNED:,}", costs.pruned_ms, "ms")] if costs.pruned_ms else []
    return [
        Figure(f"{rows}: archive with its indexes", costs.megabytes, "MB"),
        Figure(f"{rows}: seeded and rolled up", costs.rolled, RATE),
        *(Figure(f"{rows}: {step}", median(took), "ms") for step, took in costs.steps.items()),
        *(Figure(f"{rows}: {step}, p99", percentile(took, 99), "ms") for step, took in costs.steps.items()),
        Figure.of(f"{rows}: delivered", costs.rates, RATE),
        Figure.of(f"{rows}: delivered beside retention", costs.rates_pruned, RATE),
        Figure.of(f"{rows}: processor of Postgres", costs.postgres_ms, "ms a message"),
        *pruned,
        *(Figure(f"{rows}: {page}", times.wall, "ms") for page, times in costs.pages.items()),
        *(Figure(f"{rows}: {page}, processor", times.processor, "ms") for page, times in costs.pages.items()),
    ]


def _growth(sizes: list[int], found: dict[int, Costs]) -> list[Figure]:
    """The largest against the smallest."""
    if len(sizes) == 1:
        return []
    small, large = found[sizes[0]], found[sizes[-1]]
    what = f"{sizes[-1]:,} rows / {sizes[0]:,}"
    slower = {step: median(large.steps[step]) / median(small.steps[step]) for step in ("claim", "outcome")}
    slower["time a message"] = median(small.rates) / median(large.rates)
    return [
        *(Figure(f"{what}: {step}", times, "times", most=1.5) for step, times in slower.items()),
        *(
            Figure(f"{what}: {page}, processor", times.processor / small.pages[page].processor, "times", most=2)
            for page, times in large.pages.items()
        ),
    ]
