"""Messages a second with one, two and four workers and one and two bridges: of no work, and of work that waits."""

import argparse
import subprocess
import time
from dataclasses import dataclass, field

from balansity.processes import WORKER, for_python
from sandbox.bench.processors import processor_seconds
from sandbox.bench.report import Figure, median
from sandbox.bench.rig import Rig, await_empty, await_true, install_trigger, rig, send, value
from sandbox.probe.apps import QUEUE

WORKERS = (1, 2, 4)
BRIDGES = (1, 2)
# Waiting, as for a mail server, costs no processor: what more workers are for.
WAIT_SECONDS = 0.02
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    body: str
    count: int


LOADS = (Load("no work", "{}", 6_000), Load("20 ms of waiting", f'{{"seconds": {WAIT_SECONDS}}}', 600))


@dataclass(slots=True)
class Cell:
    """One number of workers and bridges with one load, round by round."""

    rates: list[float] = field(default_factory=list)
    worker_ms: list[float] = field(default_factory=list)
    bridge_ms: list[float] = field(default_factory=list)
    postgres_ms: list[float] = field(default_factory=list)


def measure(options: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """Each round takes all cells in turn, so that a noisy minute falls on all of them."""
    cells: dict[tuple[int, int, str], Cell] = {}
    with rig("growth-workers") as built:
        install_trigger()
        workers: list[subprocess.Popen[bytes]] = []
        for number in WORKERS:
            workers += _more_workers(built, number - len(workers))
            for bridges in BRIDGES:
                _measure_cells(built, workers, bridges, options.rounds, cells)
    return _figures(cells), [
        f"each worker has two children; {options.rounds} rounds of the backlogs",
        *(f"{load.count:,} messages of {load.name}" for load in LOADS),
        "a second bridge is a spare: it shares the work, and adds none",
    ]


def _more_workers(built: Rig, number: int) -> list["subprocess.Popen[bytes]"]:
    """They listen once each of them has taken something from its line."""
    # Children take a place in Postgres before there is a task.
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'balansity'"
    before = value(query)
    started = [
        built.start(*for_python(WORKER, "-n", f"growth{time.monotonic_ns()}@%h", "-Q", "probe")) for _ in range(number)
    ]
    await_true(lambda: value(query) >= before + 2 * number, seconds=120, every=0.1)
    await_true(lambda: bool(built.broker.exists("_kombu.binding.probe")), seconds=60)
    return started


def _measure_cells(
    built: Rig,
    workers: list["subprocess.Popen[bytes]"],
    bridges: int,
    rounds: int,
    cells: dict[tuple[int, int, str], Cell],
) -> None:
    running = [built.start_bridge() for _ in range(bridges)]
    for number in range(rounds + 1):
        for load in LOADS:
            cell = Cell() if number == 0 else cells.setdefault((len(workers), bridges, load.name), Cell())
            # The first one opens connections and imports code.
            _one(built, load, [one.pid for one in workers], [one.pid for one in running], cell, warm_up=number == 0)
    for bridge in running:
        built.stop(bridge)
    for load in LOADS:
        cell = cells[len(workers), bridges, load.name]
        what = f"{len(workers)} workers, {bridges} bridges, {load.name}"
        print(f"{what}: {median(cell.rates):,.0f} messages/s, Postgres {median(cell.postgres_ms):.2f} ms", flush=True)


def _one(built: Rig, load: Load, workers: list[int], bridges: list[int], cell: Cell, *, warm_up: bool) -> None:
    count = load.count // 10 if warm_up else load.count
    built.clear()
    before = processor_seconds(*workers), processor_seconds(*bridges), built.postgres_seconds()
    started = time.monotonic()
    send(count, load.body)
    await_empty(every=LOOK_SECONDS)
    seconds = time.monotonic() - started
    after = processor_seconds(*workers), processor_seconds(*bridges), built.postgres_seconds()
    if value(f"SELECT count(*) FROM pgmq.a_{QUEUE} WHERE headers #>> '{{bridge,outcome}}' = 'succeeded'") != count:
        raise SystemExit("not every message was archived as succeeded")
    each = [(later - earlier) * 1000 / count for earlier, later in zip(before, after, strict=True)]
    cell.rates.append(count / seconds)
    cell.worker_ms.append(each[0])
    cell.bridge_ms.append(each[1])
    cell.postgres_ms.append(each[2])


def _figures(cells: dict[tuple[int, int, str], Cell]) -> list[Figure]:
    figures = []
    for (workers, bridges, load), cell in cells.items():
        what = f"{load}; {workers} workers, {bridges} bridges"
        figures += [
            Figure.of(what, cell.rates, "messages/s"),
            Figure.of(f"{what}: processor of workers", cell.worker_ms, "ms a message"),
            Figure.of(f"{what}: processor of bridges", cell.bridge_ms, "ms a message"),
            Figure.of(f"{what}: processor of Postgres", cell.postgres_ms, "ms a message"),
        ]
    for each in LOADS:
        alone, many, two = (
            cells[number, bridges, each.name].rates for number, bridges in ((WORKERS[0], 1), (WORKERS[-1], 1), (1, 2))
        )
        figures.append(Figure.ratio(f"{each.name}; {WORKERS[-1]} workers / one", many, alone))
        figures.append(Figure.ratio(f"{each.name}; two bridges / one", two, alone))
    return figures
