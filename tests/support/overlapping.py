"""Two transactions of two connections that overlap in a known order, without luck or sleep."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, connections, transaction

from tests.acceptance.waiting import wait_until

WAITS_FOR_US = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
)


def overlap(first: Callable[[], object], second: Callable[[], object]) -> bool:
    """Do the second on another connection before the first is committed; returns whether it had to wait for that."""

    def in_thread() -> None:
        try:
            second()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            later = pool.submit(in_thread)
            wait_until(lambda: later.done() or somebody_waits_for_us(), "the second is done, or waits for the first")
            waited = not later.done()
        later.result(timeout=30)
    return waited


def somebody_waits_for_us() -> bool:
    """Whether a session of any process waits for a lock that this connection of Django's holds."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS_FOR_US)
        return bool(cursor.fetchone()[0])
