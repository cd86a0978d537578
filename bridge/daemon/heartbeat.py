"""How a bridge process tells that it lives."""

import os
import socket
from datetime import timedelta

from django.utils import timezone

from bridge.models import BridgeProcess

INTERVAL_SECONDS = 10
# Three missed beats and a little: a slow write is no death.
DEAD_AFTER = timedelta(seconds=35)
# What a bridge may wait for, as its row and its log name it.
THE_BROKER, THE_DATABASE = "The broker (REDIS_URL)", "Postgres (DATABASE_URL)"


class Heartbeat:
    """The row of this process. Every method is one statement."""

    def __init__(self) -> None:
        started = timezone.now()
        self._name = f"{socket.gethostname()}:{os.getpid()}@{started:%Y-%m-%dT%H:%M:%S}"
        self._started = started

    def beat(self, *, published: int, archived: int, waits_for: str) -> None:
        """Renew the row; `published` and `archived` are totals since the start."""
        self._save(published=published, archived=archived, waits_for=waits_for[:200])

    def stop(self, *, published: int, archived: int) -> None:
        """Say that the process ended in order."""
        self._save(published=published, archived=archived, waits_for="", stopped_at=timezone.now())

    def _save(self, **values: object) -> None:
        defaults = {"started_at": self._started, "seen_at": timezone.now(), **values}
        BridgeProcess.objects.update_or_create(name=self._name, defaults=defaults)


def living_bridges() -> list[BridgeProcess]:
    """The processes that renewed their row lately and did not stop, the longest running first."""
    recent = BridgeProcess.objects.filter(stopped_at=None, seen_at__gt=timezone.now() - DEAD_AFTER)
    return list(recent.order_by("started_at"))
