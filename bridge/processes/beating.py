"""Lets a web process say that it lives, beside its requests."""

import threading
from collections.abc import Callable

from bridge.processes.pulse import INTERVAL_SECONDS, Kind, Pulse


def keep_beating() -> Callable[[], None]:
    """Beat from now on, in a thread of its own; returns what ends that and says so."""
    pulse, ended = Pulse(Kind.WEB), threading.Event()

    def beat() -> None:
        pulse.beat()
        while not ended.wait(INTERVAL_SECONDS):
            pulse.beat()

    threading.Thread(target=beat, name="pulse", daemon=True).start()

    def stop() -> None:
        ended.set()
        pulse.stop()

    return stop
