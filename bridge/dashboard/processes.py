"""The section about processes: how many of each kind live, and which one is silent without having said goodbye."""

from collections.abc import Iterator
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from bridge.dashboard import addresses
from bridge.dashboard.words import Row, clock
from bridge.processes.pulse import DEAD_AFTER, Kind
from bridge.processes.rows import Process, processes
from staff.badges import Tone, badge
from staff.formats import age, whole
from staff.sections import once

KINDS: dict[Kind, str | Promise] = {
    Kind.BRIDGE: pgettext_lazy("process", "bridge"),
    Kind.WORKER: pgettext_lazy("process", "worker"),
    Kind.BEAT: pgettext_lazy("process", "beat"),
    Kind.WEB: pgettext_lazy("process", "web"),
}


@once
def processes_now() -> list[Process]:
    return processes()


def living(kind: Kind) -> list[Process]:
    return [process for process in processes_now() if process.kind == kind and process.is_alive]


def missed() -> list[Process]:
    return [process for process in processes_now() if process.is_missed]


def last_sign(kind: Kind) -> Process | None:
    """The process of a kind that was seen last, where none of them lives; `None` where one does, or there was none.

    A bridge writes down what it hears of others, so it has to live for as long as silence takes to be one.
    """
    heard_since = timezone.now() - DEAD_AFTER
    if kind != Kind.BRIDGE and not any(bridge.started_at < heard_since for bridge in living(Kind.BRIDGE)):
        return None
    known = [process for process in processes_now() if process.kind == kind]
    return None if living(kind) else max(known, key=lambda process: process.seen_at, default=None)


def read_processes() -> dict[str, Any]:
    return {"rows": [*_kinds(), *_missed()], "address": addresses.processes()}


def _kinds() -> Iterator[Row]:
    for kind, label in KINDS.items():
        alive, name = living(kind), capfirst(str(label))
        if alive:
            since = _("since %(time)s") % {"time": clock(min(process.started_at for process in alive))}
            yield Row(kind, name, badge(_("works: %(count)s") % {"count": whole(len(alive))}, Tone.GOOD), since)
        elif kind == Kind.BRIDGE or last_sign(kind):
            yield Row(kind, name, badge(_("does not run"), Tone.BAD))


def _missed() -> Iterator[Row]:
    now = timezone.now()
    for process in missed()[:5]:
        silent = _("silent for %(age)s") % {"age": age((now - process.seen_at).total_seconds())}
        yield Row(process.name, process.name, badge(silent, Tone.BAD))
