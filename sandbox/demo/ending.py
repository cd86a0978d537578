"""What Ctrl-C does: everything that was started is stopped in order, and a second Ctrl-C does not disturb that."""

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# A terminal that is closed and a supervisor that stops us are no different.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_received: list[int] = []


def exit_on_signals() -> None:
    """Let the next signal raise `SystemExit` with the code that shells expect, 130 for Ctrl-C."""
    for number in _SIGNALS:
        signal.signal(number, _exit)


@contextmanager
def signals_decide_the_end() -> Iterator[None]:
    """Raise `SystemExit` for whatever fails once a signal has come: it interrupts anything, a commit for example, and
    what is interrupted may fail in its own way while it is cleaned up.
    """
    try:
        yield
    except Exception as error:
        if not _received:
            raise
        raise SystemExit(128 + _received[0]) from error


def undisturbed(work: Callable[[], None]) -> None:
    """Do something that a signal must not leave half done, like a process that is started and not yet noted.

    It is done in another thread, as signals reach the main one alone; a signal ends us when it is done.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def ignore_signals() -> None:
    """From here on everything goes down anyway, each part within a bounded time."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()
    _received.append(number)
    sys.exit(128 + number)
