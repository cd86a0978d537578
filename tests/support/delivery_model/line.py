"""A broker that loses, doubles, delays and reorders: a list from which the test takes whatever it likes."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from celery import Celery, current_app
from kombu.exceptions import OperationalError

from bridge.daemon.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Task:
    """What the bridge published, as a worker gets it."""

    name: str
    args: tuple[Any, ...]
    id: str
    retries: int

    def run(self) -> None:
        """Run it as a worker's child does; raises what Celery would see."""
        task = current_app.tasks[self.name]
        task.push_request(id=self.id, retries=self.retries, called_directly=False, delivery_info={}, timelimit=None)
        try:
            task(*self.args)
        finally:
            task.pop_request()


class Line(Publisher):
    """The publisher of a bridge, as it is, before a broker of the test's own.

    `tasks` is shared by all bridges. `breaks_after` so many more tasks it is away, in the middle of a look.
    """

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__(current_app)
        self.tasks = tasks
        self.breaks_after: int | None = None
        app: Any = SimpleNamespace(send_task=self._accept)
        self._app: Celery = app

    def line_length(self, celery_queue: str) -> int:
        return 0

    def _open(self) -> Any:
        return SimpleNamespace(batch=nullcontext)

    def _accept(self, name: str, *, args: list[Any], task_id: str, retries: int = 0, **_options: Any) -> None:
        if self.breaks_after is not None:
            if self.breaks_after == 0:
                raise OperationalError("the broker is away")
            self.breaks_after -= 1
        self.tasks.append(Task(name, tuple(json.loads(json.dumps(args))), task_id, retries))
