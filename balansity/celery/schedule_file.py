"""Celery's beat with a schedule file that may hold anything: what cannot be used is replaced, and beat starts.

Celery replaces a file that cannot be opened. One that was cut, zeroed or half lost (a power cut, a full disk) opens and
then fails to be read, at each start anew, with whatever the database module or pickle raises: no payment would be
checked any more.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

from bridge.processes.pulse import INTERVAL_SECONDS, Kind, Pulse

logger = logging.getLogger(__name__)

# A clock may have been put back a little; what waits for next year would never run.
MOST_AHEAD = timedelta(minutes=5)


class SturdyScheduler(PersistentScheduler):
    """Keeps when each task ran last, and begins anew where that cannot be read."""

    # What celery's stubs leave out.
    _store: Any
    _remove_db: Callable[[], None]
    _open_schedule: Callable[[], Any]
    schedule_filename: str

    _beat_at = 0.0
    _has_beaten = False

    # Those of every module that `dbm` may choose, not only of the ones that celery knows.
    known_suffixes = ("", ".db", ".dat", ".bak", ".dir", ".pag", "-wal", "-shm", "-journal")

    def __init__(self, *args: Any, **options: Any) -> None:
        self._pulse = Pulse(Kind.BEAT)
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> Any:
        """Ask for what is due; then say that beat lives, by which it has proven it."""
        seconds = super().tick(*args, **options)
        if self._beat_at <= time.monotonic():
            self._pulse.beat()
            self._beat_at = time.monotonic() + INTERVAL_SECONDS - 1
            self._has_beaten = True
        return seconds

    def close(self) -> None:
        if self._has_beaten:
            self._pulse.stop()
        super().close()

    def setup_schedule(self) -> None:
        try:
            super().setup_schedule()
            self._check_entries()
        except Exception as error:  # noqa: BLE001 - a cut file raises anything, and none of it can be mended otherwise.
            self._give_up_store(error)
            self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin a new file, or end in one line where there can be none: no such folder, no right, a full disk."""
        try:
            super().setup_schedule()
        except OSError as error:
            raise SystemExit(f"CELERY_BEAT_SCHEDULE_FILE names {self.schedule_filename}: {error.strerror}") from error

    def _check_entries(self) -> None:
        for name, entry in self.schedule.items():
            if not isinstance(entry, ScheduleEntry):
                raise TypeError(f"{name} is no entry of a schedule")
            ran: Any = entry.last_run_at
            if not isinstance(ran, datetime) or ran - entry.default_now() > MOST_AHEAD:
                raise ValueError(f"{name} ran in the future, {ran}")
            entry.is_due()

    def _give_up_store(self, error: Exception) -> None:
        store, self._store = self._store, None
        if store is not None:
            # Nothing of it is to be written back when Python collects it.
            store.cache.clear()
            store.dict = {}
        self._say(error)
        self._remove_db()

    def _destroy_open_corrupted_schedule(self, exc: Exception) -> Any:
        self._say(exc)
        self._remove_db()
        return self._open_schedule()

    def _say(self, error: Exception) -> None:
        logger.error(
            "%s cannot be used (%s: %s): a new schedule is begun, and each task waits its whole interval once",
            *(self.schedule_filename, type(error).__name__, " ".join(str(error).split())[:200]),
        )
