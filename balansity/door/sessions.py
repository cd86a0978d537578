"""Sessions of staff, which end: after a time without a request, some hours after the login whatever happens, and where
a second factor is needed that the session has not given.
"""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from staff import second_factor

# When the login was, and when a request came last: seconds since 1970.
STARTED, SEEN = "balansity_started", "balansity_seen"
# No request is worth a write when the last one was just now.
WRITTEN_EVERY_SECONDS = 60


class SessionStore(DatabaseSessionStore):
    """Looks at the time when a session is loaded, so wherever one is used, and only there."""

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if SESSION_KEY not in data:
            return data
        now = int(time.time())
        if _is_over(data, now) or not second_factor.counts(data, data[SESSION_KEY]):
            self.delete(self.session_key)
            self._session_key = None
            return {}
        if now - data[SEEN] >= WRITTEN_EVERY_SECONDS:
            data[SEEN] = now
            self.modified = True
        return data


def _is_over(data: dict[str, Any], now: int) -> bool:
    """Whether it is; one of before these rules, which says nothing of its times, is."""
    idle, age = now - int(data.get(SEEN, 0)), now - int(data.get(STARTED, 0))
    longest_idle, longest_age = int(settings.ADMIN_SESSION_IDLE_MINUTES) * 60, int(settings.ADMIN_SESSION_HOURS) * 3600
    return idle > longest_idle or age > longest_age
