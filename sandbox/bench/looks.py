"""The pages that are asked for all the time: the admin's home, the overview of queues, `/metrics`."""

import time
from dataclasses import dataclass
from typing import Any

import psutil
from django.conf import settings

from sandbox.bench.lists import Look, staff_client, timed
from sandbox.bench.report import Figure
from sandbox.bench.rig import value
from sandbox.bench.seeding import Size

TOKEN = "0f8b1c6d5e2a49738d16c0b7e9fa4321"  # noqa: S105 # Of the sandbox of a benchmark.


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    address: str
    most_ms: float | None


PAGES = (
    Page("dashboard", "/admin/", 50.0),
    Page("overview of queues", "/admin/bridge/queueoverview/", None),
    Page("/metrics", "/metrics", 200.0),
)

ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds: until the whole answer was there, and what processors worked for it, here and in Postgres."""

    wall: float
    processor: float


_baseline: dict[str, Times] = {}


def times() -> dict[str, Times]:
    settings.METRICS_TOKEN = TOKEN
    client = staff_client({"Authorization": f"Bearer {TOKEN}"})
    backend = psutil.Process(value("SELECT pg_backend_pid()"))
    return {page.name: _measured(client, page, backend) for page in PAGES}


def _measured(client: Any, page: Page, backend: psutil.Process) -> Times:
    wall = timed(client, Look(page.name, page.address), rounds=ROUNDS)
    before = time.process_time() + sum(backend.cpu_times()[:2])
    for _ in range(ROUNDS):
        client.get(page.address)
    return Times(wall, (time.process_time() + sum(backend.cpu_times()[:2]) - before) * 1000 / ROUNDS)


def note_baseline() -> None:
    """Measure them before anything is seeded."""
    bring_up_to_date()
    _baseline.update(times())


def measure(_size: Size) -> tuple[list[Figure], list[str]]:
    """Server's time of each, in this process, and how many times as long as with nothing in the database."""
    bring_up_to_date()
    figures = []
    for name, took in times().items():
        most = next(page.most_ms for page in PAGES if page.name == name)
        figures += [
            Figure(name, took.wall, "ms", most=most),
            Figure(f"{name}, processor time", took.processor, "ms"),
            Figure(f"{name} / nothing in the database", took.wall / _baseline[name].wall, "times"),
        ]
    return figures, [
        "pages: the median of nine, from the request to the whole answer, in one process without a proxy;",
        "processor time is that of this process and of its session in Postgres: it does not grow on a busy machine",
    ]


def bring_up_to_date() -> None:
    """What beat does."""
    from balansity.tasks import count_rows  # noqa: PLC0415 # The rig sets Django up.
    from bridge.rollup.passing import roll_up_all  # noqa: PLC0415

    roll_up_all(seconds=600)
    count_rows()
