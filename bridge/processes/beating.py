"""Lets a web process say that it lives, beside its requests."""

import threading
from collections.abc import Callable

from bridge.processes.pulse import INTERVAL_SECONDS, PATIENCE_SECONDS, Kind, Pulse


def keep_beating() -> Callable[[], None]:
    """Beat from now on, in a thread of its own; returns what ends that and says so."""
    pulse, ended = Pulse(Kind.WEB), threading.Event()

    def beat() -> None:
        pulse.beat()
        while not ended.wait(INTERVAL_SECONDS):
            pulse.beat()

    beating = threading.Thread(target=beat, name="pulse", daemon=True)
    beating.start()

    def stop() -> None:
        ended.set()
        # A beat that is under way would be the last word.
        beating.join(PATIENCE_SECONDS)
        pulse.stop()

    return stop
