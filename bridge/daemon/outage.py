"""Something outside does not do its part: what the log says of it, and how long it is left alone."""

import logging
import time

from bridge.trouble.explain import explain
from bridge.trouble.explanation import MISTAKE_SECONDS, Explanation

logger = logging.getLogger(__name__)

OUTAGE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)


class Outage:
    """Something outside does not do its part: said once when it starts and once when it ends, with growing pauses.

    A mistake, which a person has to mend, is said once a minute and tried as often.
    """

    def __init__(self) -> None:
        self.what = ""
        self._pauses = iter(OUTAGE_PAUSES)
        self._mistake = ""
        self._say_again_at = 0.0

    def begins(self, what: str, error: Exception) -> float:
        """Note the failure; returns how many seconds to leave it alone."""
        found = explain(error)
        if found is not None and found.is_mistake:
            return self._stays(what, found)
        if self.what != what or self._mistake:
            self.what, self._mistake, self._pauses = what, "", iter(OUTAGE_PAUSES)
            logger.error("%s does not answer; nothing is read until it does: %s", what, str(error).strip())
        return next(self._pauses, OUTAGE_PAUSES[-1])

    def _stays(self, what: str, found: Explanation) -> float:
        now = time.monotonic()
        if self._mistake != found.code or now >= self._say_again_at:
            logger.error("%s; nothing is read until that is mended, looking again in a minute", found)
            self._say_again_at = now + MISTAKE_SECONDS
        self.what, self._mistake = what, found.code
        return MISTAKE_SECONDS

    def ends(self) -> None:
        logger.info("%s answers again", self.what)
        self.what = self._mistake = ""
