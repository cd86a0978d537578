"""What the whole system costs while there is nothing to do and nobody looks: each process, and Postgres."""

import io
import time
from dataclasses import dataclass

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from balansity.processes import BEAT, BRIDGE, WEB, WORKER, for_python
from sandbox.bench.processors import processor_seconds
from sandbox.bench.report import Figure, show
from sandbox.bench.rig import Rig, await_true, rig, value
from sandbox.services.process import free_port

ROUNDS = 3
SECONDS = 60.0
BARE_SECONDS = 20.0
# What processes do once, some seconds after their start.
SETTLE_SECONDS = 20.0
# How late a session that has ended, or has nothing to do, adds to the counts.
FLUSH_SECONDS = 1.0
OF_A_CORE = 0.5
TRANSACTIONS = 2.0
SETTINGS = {"DJANGO_SETTINGS_MODULE": "balansity.settings"}


@dataclass(frozen=True, slots=True)
class _Spent:
    """Totals until now: processor seconds by process, transactions of the database."""

    processor: dict[str, float]
    transactions: int
    at: float


def run() -> bool:
    """The four processes as shipped, dashboard closed. The baselines, in the same run: Postgres with none of ours, and
    a bare Celery worker that has nothing to do either.
    """
    with rig("idle") as built:
        call_command("install_wakeup", stdout=io.StringIO())
        alone = _percents(_measured({"postgres": built.postgres.pid}, BARE_SECONDS))
        bare_worker = built.start_bare_worker(2)
        bare = _percents(_measured({"bare": bare_worker.pid}, BARE_SECONDS))
        built.stop(bare_worker)
        watched = _start_all(built) | {"postgres": built.postgres.pid}
        time.sleep(SETTLE_SECONDS)
        rounds = []
        for number in range(1, ROUNDS + 1):
            rounds.append(_percents(_measured(watched, SECONDS)))
            told = ", ".join(f"{name} {share:.2f}" for name, share in rounds[-1].items())
            print(f"round {number}: {told}", flush=True)
    ours = ("web", "worker", "beat", "bridge")
    together = [sum(found[name] for name in ours) for found in rounds]
    return show(
        "idle",
        [
            Figure.of("web, worker, beat and bridge", together, "% of a core", most=OF_A_CORE),
            *(Figure.of(name, [found[name] for found in rounds], "% of a core") for name in (*ours, "postgres")),
            Figure.of("transactions", [found["transactions"] for found in rounds], "a second", most=TRANSACTIONS),
            Figure("Postgres without any of ours", alone["postgres"], "% of a core"),
            Figure("transactions without any of ours", alone["transactions"], "a second"),
            Figure("a bare Celery worker with two children", bare["bare"], "% of a core"),
        ],
        notes=[
            f"{SECONDS:.0f} s a round, {ROUNDS} rounds; each process with its children, as the system counts them;",
            "transactions are those of the database, committed and rolled back",
        ],
    )


def _start_all(built: Rig) -> dict[str, int]:
    port = free_port()
    lines = {"web": WEB, "worker": WORKER, "beat": BEAT, "bridge": BRIDGE}
    started = {name: built.start(*for_python(line), API_PORT=str(port), **SETTINGS).pid for name, line in lines.items()}
    row = apps.get_model("bridge", "BridgeProcess")
    await_true(lambda: {*row.objects.values_list("kind", flat=True)} >= {*lines}, seconds=120, every=0.2)
    return started


def _measured(watched: dict[str, int], seconds: float) -> tuple[_Spent, _Spent]:
    # A session counts when it ends, so ours, which does not belong to the system, ends before and after.
    connection.close()
    time.sleep(FLUSH_SECONDS)
    before = _spent(watched)
    time.sleep(seconds)
    return before, _spent(watched)


def _spent(watched: dict[str, int]) -> _Spent:
    statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    processor = {name: processor_seconds(pid) for name, pid in watched.items()}
    return _Spent(processor, int(value(statement)), time.monotonic())


def _percents(between: tuple[_Spent, _Spent]) -> dict[str, float]:
    before, after = between
    seconds = after.at - before.at
    found = {name: (after.processor[name] - spent) / seconds * 100 for name, spent in before.processor.items()}
    return found | {"transactions": (after.transactions - before.transactions) / seconds}
