"""Takes one protection out of the SQL that is really run, for tests that look whether its lack is found."""

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.pgmq import pgmq_queue
from bridge.sql import statements
from sandbox.probe.apps import QUEUE


@contextmanager
def without(query: str, protection: str, *, instead: str = "", times: int = 1) -> Iterator[None]:
    """Run the named query without that text. Raises `AssertionError` where the query has it no more."""
    queries = statements._queries()
    whole = queries[query]
    found = whole.count(protection)
    assert found == times, f"{protection!r} is in {query} {found} times and not {times}: adapt what is taken away"
    queries[query] = whole.replace(protection, instead)
    _compose_anew()
    try:
        yield
    finally:
        queries[query] = whole
        _compose_anew()


def _compose_anew() -> None:
    # With the look that this takes, or the first example would have a statement more than the others.
    queue = pgmq_queue(QUEUE)
    queue._forget()
    queue.look()
