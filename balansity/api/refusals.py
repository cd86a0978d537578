"""Why access tokens are refused, and how that is logged: one cause is one warning, however many tokens it refuses."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 3600.0
# A single token may be anybody's mistake or attempt; from the second on it may be a variable.
REPEATED = 2
MOST_LINES = 20


class Cause(Enum):
    """What refuses every customer at once when it is set up wrongly: the value says what to look at."""

    SIGNATURE = (
        "their signature does not fit SUPABASE_JWT_SECRET: copy the JWT secret of the Supabase that people sign in at, "
        "or leave it empty so that SUPABASE_URL is asked about them"
    )
    ISSUER = (
        "another issuer is named in them than SUPABASE_URL or SUPABASE_JWT_ISSUER: add it to SUPABASE_JWT_ISSUER if it "
        "is the Supabase that people sign in at"
    )
    UNPROVABLE = (
        "they are signed with a secret (HS256), and none is set: set SUPABASE_JWT_SECRET, or SUPABASE_URL and "
        "SUPABASE_SERVICE_ROLE_KEY so that Supabase can be asked about them"
    )
    NO_ADDRESS = "they are signed with a published key, and nothing says where the keys are: set SUPABASE_URL"
    UNKNOWN_KEY = (
        "SUPABASE_URL does not publish the key that they are signed with: check that it is the Supabase that people "
        "sign in at"
    )
    NOT_KNOWN_THERE = (
        "SUPABASE_URL, asked about them, does not know them: check that it is the Supabase that people sign in at, "
        "or set SUPABASE_JWT_SECRET"
    )
    CLOCK = "they were issued in the future: the clock of this machine or of Supabase is wrong"


class TokenRefused(Exception):
    """The token does not count. Its text names the reason for the log, never a part of the token.

    `detail` adds to the warning what was proven to come from Supabase, like the issuer of a token with a right
    signature.
    """

    def __init__(self, reason: str, cause: Cause | None = None, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.cause, self.detail = reason, cause, detail


@dataclass
class _Period:
    began: float
    refused: int = 0
    accepted_before: int = 0


class RefusalLog:
    """Writes about refused tokens, for the threads of one process. Nobody can fill a disk through it.

    In an hour each cause is one warning, once it repeats; and each reason has a few lines at level info.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accepted = 0
        self._periods: dict[Cause | str, _Period] = {}

    def accepted(self) -> None:
        with self._lock:
            self._accepted += 1

    def refused(self, error: TokenRefused) -> None:
        if self._count(error.reason)[0] <= MOST_LINES:
            logger.info("an access token was refused: %s", error.reason)
        if error.cause is not None:
            number, accepted = self._count(error.cause)
            if number == REPEATED:
                about = f"{error.cause.value}{f' ({error.detail})' if error.detail else ''}"
                logger.warning(
                    "access tokens are refused one after another, %s. %d others were accepted meanwhile. "
                    "This is said once an hour",
                    about,
                    accepted,
                )

    def nobody_can_sign_in(self) -> None:
        if self._count("not configured")[0] == 1:
            logger.error("nobody can sign in to the API: set SUPABASE_URL or SUPABASE_JWT_SECRET")

    def _count(self, about: Cause | str) -> tuple[int, int]:
        """Return the number of this refusal within its hour, and how many tokens were accepted in that."""
        now = self._clock()
        with self._lock:
            period = self._periods.get(about)
            if period is None or now - period.began >= PERIOD_SECONDS:
                period = self._periods[about] = _Period(now, accepted_before=self._accepted)
            period.refused += 1
            return period.refused, self._accepted - period.accepted_before


refusal_log = RefusalLog()
