"""Remembers that an address refused us for a mistake, so that nobody in this process knocks more than once a minute.

Poolers and firewalls lock out whoever tries a wrong password too often, and then the right one as well. Every way to a
connection passes here: requests, claims of a worker, looks of the bridge.
"""

import threading
import time
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext

import psycopg2

from bridge.trouble.explain import is_mistake
from bridge.trouble.explanation import MISTAKE_SECONDS


class Refusals:
    """What was refused, by address, for the threads of one process. A child takes over what its parent knew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: dict[Hashable, tuple[float, psycopg2.OperationalError]] = {}

    def turn(self, address: Hashable) -> AbstractContextManager[object]:
        """What to hold while connecting: nothing, or where it was refused before the turn of the one who tries."""
        return self._lock if address in self._refused else nullcontext()

    def recall(self, address: Hashable) -> None:
        """Raise the refusal again while nobody is to try."""
        until, error = self._refused.get(address, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise type(error)(*error.args)

    def note(self, address: Hashable, error: psycopg2.OperationalError) -> None:
        if is_mistake(error):
            self._refused[address] = time.monotonic() + MISTAKE_SECONDS, error
        else:
            self._refused.pop(address, None)

    def forget(self, address: Hashable) -> None:
        self._refused.pop(address, None)


refusals = Refusals()
