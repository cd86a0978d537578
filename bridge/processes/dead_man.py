"""`HEARTBEAT_URL`: called once a minute as long as bridge, worker and beat all live. Silence is the alarm.

The bridge calls it, from its own loop: while that stands still, nothing is called. Nobody is told of a failure by
another address: what `/fail` means to one service is unknown to the next, and a dead process could not call it.
"""

import logging
import threading
import time
from collections.abc import Iterable

from django.conf import settings

from bridge.processes.pulse import Heard, Kind, notes

logger = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
TIMEOUT_SECONDS = 10.0
# Beside the work on messages, which must not wait for it.
NEEDED = (Kind.WORKER, Kind.BEAT)
# Of several bridges one calls.
_TURN = "balansity.heartbeat-url"
_TURN_SECONDS = 50


class DeadManSwitch:
    """Keeps the switch of one bridge from going off."""

    def __init__(self) -> None:
        self._due = 0.0
        self._caller: threading.Thread | None = None
        self._missing: list[Kind] = []
        self._trouble = ""

    def hold(self, heard: Iterable[Heard]) -> None:
        """Call the address if it is time, and all live. Raises what `listen` raises."""
        now = time.monotonic()
        if not settings.HEARTBEAT_URL or now < self._due or (self._caller is not None and self._caller.is_alive()):
            return
        alive = {one.kind for one in heard if one.is_alive}
        missing = [kind for kind in NEEDED if kind not in alive]
        if missing != self._missing:
            self._missing = missing
            self._tell(missing)
        if missing or not _takes_turn():
            return
        self._due = now + EVERY_SECONDS - 1
        self._caller = threading.Thread(target=self._call, name="heartbeat", daemon=True)
        self._caller.start()

    def _tell(self, missing: list[Kind]) -> None:
        if missing:
            logger.error("HEARTBEAT_URL is not called: no %s lives", " and no ".join(missing))
        else:
            logger.info("HEARTBEAT_URL is called again")

    def _call(self) -> None:
        trouble = call(settings.HEARTBEAT_URL)
        if trouble != self._trouble:
            # Never the error's own text: it repeats the address, and whoever has that can keep the alarm from sounding.
            logger.log(logging.ERROR if trouble else logging.INFO, "HEARTBEAT_URL %s", trouble or "answers again")
        self._trouble = trouble


def call(url: str) -> str:
    """GET the address; what is wrong with the answer, or nothing."""
    # Here and not above: 7 MB that bridges, which call nobody without HEARTBEAT_URL, would hold.
    import requests  # noqa: PLC0415

    try:
        with requests.get(url, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True) as answer:
            status = answer.status_code
    except (requests.RequestException, ValueError) as error:
        return f"does not answer: {type(error).__name__}"
    if 300 <= status < 400:
        return f"answers {status}, leads elsewhere: put the address there that it leads to"
    return "" if status < 300 else f"answers {status}"


def _takes_turn() -> bool:
    with notes() as client:
        return bool(client.set(_TURN, "1", nx=True, ex=_TURN_SECONDS))
