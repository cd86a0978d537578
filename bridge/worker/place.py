"""A child of a worker without a connection to Postgres takes no task.

There may be fewer places in Postgres, or in the pooler before it, than processes want. A child that got none gives the
task in its hand back to the line at once, where a sibling or another worker finds it, and stays busy, with nothing,
until it has a connection. As workers take no tasks in advance (`CELERY_WORKER_DISABLE_PREFETCH`), none waits behind it.
"""

import logging
import time
from contextlib import suppress
from typing import Any

from celery import Task
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection

from bridge.budget import explain_full, is_full
from bridge.errors import AddressRefused
from bridge.postgres import first_line
from bridge.trouble.explain import explain

logger = logging.getLogger(__name__)

# How often a child without a connection asks for one, and for how long before it lets another task tell that it lives.
ASK_EVERY_SECONDS = 1.0
STAND_BY_SECONDS = 10.0
# What nobody could start for so long is repeated: by the bridge when its lease has run out, by beat at its next turn.
GIVEN_BACK_FOR_SECONDS = 60.0


class PlacedTask(Task):  # type: ignore[type-arg]
    """A task that starts with a connection to Postgres. What beat asks for, and bundles, are of this kind."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.take_place(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def take_place(self, *args: Any, **kwargs: Any) -> None:
        """Have a connection, or give this task, which was called with these arguments, back and raise `Ignore`."""
        if self.request.called_directly or self.request.is_eager or has_place():
            return
        self._give_back(args, kwargs)
        with suppress(SoftTimeLimitExceeded):
            _stand_by(min(STAND_BY_SECONDS, (self.soft_time_limit or STAND_BY_SECONDS) / 2))
        raise Ignore("there was no connection to Postgres; another child has the task")

    def _give_back(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        request = self.request
        hard, soft = request.timelimit or (None, None)
        options: dict[str, Any] = {
            "queue": (request.delivery_info or {}).get("routing_key"),
            "task_id": request.id,
            "retries": request.retries,
            "expires": request.expires or GIVEN_BACK_FOR_SECONDS,
            "time_limit": hard,
            "soft_time_limit": soft,
            "retry": False,
        }
        try:
            self.apply_async(args, kwargs, **options)
        except Exception as error:  # noqa: BLE001 - a task is a hint: whoever asked for it asks again.
            logger.warning("%s could not be given back: %s", request.id, first_line(error))


_is_without = False


def has_place() -> bool:
    """Whether this process is connected to Postgres, or could be by now. The log says when that changes.

    A connection that is there may be broken: what is done over it finds out.
    """
    global _is_without  # noqa: PLW0603 # One for each process, like its connection.
    if connection.connection is not None:
        return True
    try:
        connection.ensure_connection()
    except AddressRefused:
        raise
    except (OperationalError, InterfaceError) as error:
        if not _is_without:
            found = explain(error)
            is_mistake = found is not None and found.is_mistake
            why = explain_full() if is_full(error) else str(found) if is_mistake else first_line(error)
            level = logging.ERROR if is_mistake else logging.WARNING
            logger.log(level, "no connection to Postgres; no task is taken until there is one: %s", why)
        _is_without = True
        return False
    if _is_without:
        logger.warning("connected to Postgres; tasks are taken again")
    _is_without = False
    return True


def _stand_by(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(min(ASK_EVERY_SECONDS, seconds))
        if has_place():
            return
