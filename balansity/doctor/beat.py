"""Whether beat lives: by its heart, as far as a bridge has written that down, and else by the file that it writes."""

import dbm
import os
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from balansity.celery.schedule_file import SturdyScheduler
from bridge.diagnosis import Finding, error
from bridge.processes.pulse import Kind
from bridge.processes.rows import living

# It is written every three minutes.
SILENT_SECONDS = 15 * 60


def look_at_beat() -> Iterator[Finding]:
    if living(Kind.BEAT):
        return
    name = settings.CELERY_BEAT_SCHEDULE_FILENAME
    files = [Path(name + suffix) for suffix in SturdyScheduler.known_suffixes if os.path.lexists(name + suffix)]
    remedy = _("Start it: celery -A balansity beat. On another machine it is not seen from here.")
    if not files:
        cause = _("Beat has left no file %(file)s: nothing is checked, repaired or forgotten by itself.")
        yield error("processes.no_beat", cause, remedy, file=name)
        return
    age = time.time() - max(file.stat().st_mtime for file in files)
    if age > SILENT_SECONDS:
        cause = _("Beat has not written %(file)s for %(minutes)s minutes: it hangs, or does not run.")
        yield error("processes.beat_silent", cause, remedy, file=name, minutes=round(age / 60))
    elif not all(os.access(file, os.R_OK) for file in files) or dbm.whichdb(name) in (None, ""):
        cause = _("Beat's file %(file)s cannot be read.")
        yield error("processes.beat_file", cause, _("Restart beat as its owner: it begins a new one."), file=name)
