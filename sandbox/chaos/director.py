"""Carries the schedule out: each fault at its time, beside the others, and undone at its end."""

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sandbox.chaos.happened import Happened, Planned
from sandbox.chaos.harm.acts import ACTS
from sandbox.chaos.scene import Hit, Scene

# As many faults may be there at once as there are groups; more never are.
AT_ONCE = 12


def carry_out(scene: Scene, schedule: Sequence[Planned], tell: Callable[[Happened], None]) -> list[Happened]:
    """Do what is planned, until the load is over; returns what came about when all of it is undone."""
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE, "fault") as hands:
        doing = []
        for planned in schedule:
            if scene.over.wait(max(0.0, began + planned.at - time.monotonic())):
                break
            doing.append(hands.submit(_do, scene, planned, tell))
        return [one.result() for one in doing]


def _do(scene: Scene, planned: Planned, tell: Callable[[Happened], None]) -> Happened:
    began, hit, failed = datetime.now(UTC), Hit(), ""
    try:
        with ACTS[planned.kind](scene, planned.target) as hit:
            hit.early.wait(planned.seconds)
    except Exception as error:  # noqa: BLE001 - A fault that could not be done is told as such, and the run goes on.
        failed = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    happened = Happened(
        planned.number, planned.kind, planned.target, began, datetime.now(UTC), hit.pids, hit.note, failed
    )
    tell(happened)
    return happened
