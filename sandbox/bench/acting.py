"""Ten thousand failed messages in an archive of a million: found, grouped, and put back by two operators at once."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bridge.rollup.failures import Wanted, failure_groups, open_failures
from sandbox.bench.report import Figure, median
from sandbox.bench.rig import execute, value
from sandbox.bench.seeding import MAIL_QUEUE, Size
from sandbox.packages import CHECKOUT

ROUNDS = 5
# Put back one by one, each as an act of its own, to compare with.
SINGLES = 100


def measure(size: Size) -> tuple[list[Figure], list[str]]:
    """Leaves the queue with the messages in it, so it comes after whatever looks at failures."""
    # The rig sets Django up, so no model can be imported with this module.
    from bridge.rollup.passing import roll_up  # noqa: PLC0415

    began = time.perf_counter()
    roll_up(MAIL_QUEUE)
    rolled = time.perf_counter() - began
    failed = value("SELECT count(*) FROM bridge_failedmessage WHERE requeued_as IS NULL AND reason <> 'refused'")
    figures = [
        Figure(f"grouping {failed:,} failures", _median(lambda: failure_groups(MAIL_QUEUE)), "ms", most=1000),
        Figure("a page of failures", _median(lambda: open_failures(MAIL_QUEUE)), "ms", most=300),
        Figure(
            "a page of one group of failures",
            _median(lambda: open_failures(MAIL_QUEUE, Wanted(error_type="TimeoutError"))),
            *("ms", None, 300),
        ),
    ]
    single, count = _singles(), failed - SINGLES
    seconds, shares = _both_at_once(count)
    figures += [
        Figure(f"requeue of {count:,} by two operators at once", seconds, "s", most=60),
        Figure("one by one", single * 1000, "ms a message"),
        Figure("one by one / all at once", single * count / seconds, "times"),
    ]
    notes = [f"each message once; the two put {shares} back, in {len(shares)} processes, with their start"]
    return figures, [*notes, f"the roll-up of {size.archived:,} messages took {rolled:.0f} s"]


def _median(look: Callable[[], Any]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        look()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _singles() -> float:
    from bridge.operations.actor import cli_actor  # noqa: PLC0415
    from bridge.operations.requeue import requeue  # noqa: PLC0415

    ids = [failure.msg_id for failure in open_failures(MAIL_QUEUE, limit=SINGLES)]
    began = time.perf_counter()
    for msg_id in ids:
        requeue(MAIL_QUEUE, [msg_id], actor=cli_actor())
    return (time.perf_counter() - began) / len(ids)


def _both_at_once(expected: int) -> tuple[float, list[int]]:
    execute(f"TRUNCATE pgmq.q_{MAIL_QUEUE}")
    command = [sys.executable, "manage.py", "queue", "requeue", MAIL_QUEUE, "--all", "--json"]
    began = time.perf_counter()
    operators = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE) for _ in range(2)]
    told = [json.loads(operator.communicate(timeout=600)[0]) for operator in operators]
    seconds = time.perf_counter() - began
    once = f"SELECT count(*) = count(DISTINCT headers -> 'bridge' ->> 'requeued_from') FROM pgmq.q_{MAIL_QUEUE}"
    shares = [one["changed"] for one in told]
    if sum(shares) != expected or value(f"SELECT count(*) FROM pgmq.q_{MAIL_QUEUE}") != expected or not value(once):
        raise SystemExit(f"{shares} of {expected} were put back, or one of them twice")
    return seconds, shares
