"""What the roll-up takes in at its first pass, and what a day of a queue costs with it."""

import time

from sandbox.bench.report import Figure, median
from sandbox.bench.rig import execute, value
from sandbox.bench.seeding import MAIL_QUEUE, Size

ROUNDS = 9


def measure(size: Size) -> tuple[list[Figure], list[str]]:
    """The baseline is Postgres counting the same archive by hour and outcome, as the status once did."""
    # The rig sets Django up, so no model can be imported with this module.
    from bridge.rollup.passing import roll_up  # noqa: PLC0415
    from bridge.rollup.reading import day  # noqa: PLC0415

    began = time.perf_counter()
    execute(
        f"""SELECT date_trunc('hour', archived_at), headers -> 'bridge' ->> 'outcome', count(*)
            FROM pgmq.a_{MAIL_QUEUE} GROUP BY 1, 2"""
    )
    counting = time.perf_counter() - began
    began = time.perf_counter()
    added = roll_up(MAIL_QUEUE)
    rolling = time.perf_counter() - began
    counted = value("SELECT sum(count) FROM bridge_rolledhour WHERE queue = %s", [MAIL_QUEUE])
    if not added == counted == size.archived:
        raise SystemExit(f"{size.archived} messages are in the archive, and {added} were added, which makes {counted}")
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        day(MAIL_QUEUE)
        took.append(time.perf_counter() - began)
    return [
        Figure("roll-up, first pass", added / rolling, "messages/s"),
        Figure("roll-up / one count of the archive", rolling / counting, "times"),
        Figure("a day of a queue", median(took) * 1000, "ms"),
        Figure("one count of the archive / a day of a queue", counting / median(took), "times"),
    ], [f"roll-up: {added:,} old messages in {rolling:.0f} s, 2000 in a transaction"]
