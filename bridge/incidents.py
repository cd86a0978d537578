"""Services that are away and processes without a sign of life, as staff are told of them at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from bridge.breaker import states
from bridge.models import BridgeProcess
from bridge.processes.pulse import Kind
from bridge.processes.rows import processes
from staff.troubles import Detector, Trouble

# A restart takes less, and what takes longer stops work.
PATIENCE = timedelta(minutes=5)
# In the key of a single process; a kind has none.
HOST = "@"


def find_services_away(standing: frozenset[str]) -> Iterator[Trouble]:
    """Each service whose breaker is open."""
    for state in states():
        if state.is_open:
            yield Trouble(
                kind=f"service:{state.name}",
                key=state.name,
                what=_("The service “%(service)s” is away") % {"service": state.label},
                advice=state.advice,
                address=reverse("admin:bridge_queueoverview_changelist"),
                since=state.since,
            )


def find_dead_processes(standing: frozenset[str]) -> Iterator[Trouble]:
    """Kinds of which nobody gives a sign of life for `PATIENCE`; of the other kinds those that fell silent alone.

    Bridges write down what workers and beat note, so while none of them lives, nothing is known of those. Rows are
    deleted a day after the last sign, and that revives nobody.
    """
    rows = processes()
    limit = timezone.now() - PATIENCE
    living = {row.kind for row in rows if row.is_alive}
    seen = {row.kind: row.seen_at for row in sorted(rows, key=lambda row: row.seen_at)}
    for kind in sorted({*seen, *(key for key in standing if HOST not in key)}):
        is_dead = kind not in living and (kind not in seen or seen[kind] < limit)
        is_known = kind == Kind.BRIDGE or Kind.BRIDGE in living
        if is_dead if is_known else kind in standing:
            yield _of_process(kind, kind, seen.get(kind), _("No process «%(kind)s» gives a sign of life"))
    for row in rows:
        if row.is_missed and row.kind in living and row.seen_at < limit:
            what = _("A process «%(kind)s» gives no sign of life; others of its kind go on")
            yield _of_process(row.kind, f"{row.kind}{HOST}{row.name}"[:100], row.seen_at, what)


def _of_process(kind: str, key: str, since: datetime | None, what: str) -> Trouble:
    label = dict(BridgeProcess._meta.get_field("kind").flatchoices).get(kind, kind)
    return Trouble(
        kind=f"process:{kind}",
        key=key,
        what=what % {"kind": label},
        advice=_("Start it; if it ends again, its log says why."),
        address=reverse("admin:bridge_bridgeprocess_changelist"),
        since=since,
    )


DETECTORS = [Detector("services", find_services_away), Detector("processes", find_dead_processes)]
