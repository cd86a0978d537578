"""How long the home page waits for Postgres: a slow one costs it parts of the page, and never the page."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, OperationalError, connection

from balansity.postgres.connections import usual_limit

# For all of a page, and for one statement of it.
SECONDS = 2.0
STATEMENT_SECONDS = 0.7


class OutOfTime(OperationalError):
    """The time of the page is used up: this statement was not sent."""


@contextmanager
def bounded(seconds: float = SECONDS, statement: float = STATEMENT_SECONDS) -> Iterator[None]:
    """Let no statement inside take longer than `statement`, nor begin after `seconds`.

    For the session and not for a transaction: one of these for each part would be two more ways to Postgres and back,
    and after an error in a common one nothing could follow.
    """
    ends = time.monotonic() + seconds

    def in_time(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if time.monotonic() > ends:
            raise OutOfTime("the time of the page is used up")
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout TO {round(statement * 1000)}")
    try:
        with connection.execute_wrapper(in_time):
            yield
    finally:
        _take_back()


def _take_back() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(usual_limit())
    except Error:
        # Whoever gets this session next must not be cut.
        connection.close()
