"""What Ctrl-C does: everything that was started is stopped in order, and a second Ctrl-C does not disturb that."""

import signal
import sys
from types import FrameType
from typing import NoReturn

# A terminal that is closed and a supervisor that stops us are no different.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Let the next signal raise `SystemExit` with the code that shells expect, 130 for Ctrl-C."""
    for number in _SIGNALS:
        signal.signal(number, _exit)


def ignore_signals() -> None:
    """From here on everything goes down anyway, each part within a bounded time."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()
    sys.exit(128 + number)
