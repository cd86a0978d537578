"""A bridge's loop in the thread of the test, until something has happened and not until a time is over."""

import threading
import time
from collections.abc import Callable

from bridge.daemon.runner import Runner
from tests.acceptance.waiting import wait_until


def run_until(runner: Runner, condition: Callable[[], bool], *, and_on: float = 0.0) -> None:
    """Run until `condition`, which is asked in another thread, and for `and_on` seconds more."""

    def stop() -> None:
        try:
            wait_until(condition, "the bridge has done what the test is about")
            time.sleep(and_on)
        finally:
            runner.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    runner.run()
    stopper.join()
