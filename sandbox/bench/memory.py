"""What the bridge holds in memory, and whether it grows over 100 000 messages."""

import psutil

from sandbox.bench.report import Figure, show
from sandbox.bench.rig import await_true, rig, send, value
from sandbox.probe.apps import QUEUE

MESSAGES = 100_000
STEP = 10_000
MEGABYTE = 1_000_000


def run() -> bool:
    """The baseline is the bridge itself after its first tenth of the messages."""
    sizes = []
    with rig("memory") as built:
        built.start_worker()
        process = psutil.Process(built.start_bridge().pid)
        sizes.append(process.memory_info().rss / MEGABYTE)
        for done in range(STEP, MESSAGES + 1, STEP):
            send(STEP)
            await_true(lambda: not value(f"SELECT EXISTS (SELECT FROM pgmq.q_{QUEUE})"), every=0.1)
            sizes.append(process.memory_info().rss / MEGABYTE)
            print(f"{done:,} messages: {sizes[-1]:.1f} MB", flush=True)
        archived = value(f"SELECT count(*) FROM pgmq.a_{QUEUE}")
    if archived != MESSAGES:
        raise SystemExit(f"{archived:,} of {MESSAGES:,} messages were archived")
    return show(
        "memory",
        [
            Figure("bridge, idle after its start", sizes[0], "MB"),
            Figure(f"bridge after {STEP:,} messages", sizes[1], "MB"),
            Figure(f"bridge, largest over {MESSAGES:,} messages", max(sizes), "MB", most=80),
            Figure(f"growth from {STEP:,} to {MESSAGES:,} messages", sizes[-1] - sizes[1], "MB", most=2),
        ],
    )
