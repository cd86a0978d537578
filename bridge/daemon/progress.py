"""What a person sees who watches a long drain."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.daemon.runner import Totals
from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.queues import Queue


class ProgressBar:
    """Messages that left the queues, out of those that were visible at the start."""

    def __init__(self, queues: list[Queue]) -> None:
        self._queues = queues
        self._progress = Progress(
            TextColumn("handing over"),
            *(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Self:
        total = 0
        for queue in self._queues:
            try:
                total += pgmq_queue(queue.name).counts().ready
            except QueueMissing:
                continue
        self._progress.start()
        self._task = self._progress.add_task("", total=total)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, totals: Totals) -> None:
        self._progress.update(self._task, completed=totals.published + totals.archived)
