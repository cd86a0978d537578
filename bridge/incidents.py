"""Services that are away and processes without a sign of life, as staff are told of them at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from bridge.breaker import states
from bridge.models import BridgeProcess
from staff.troubles import Detector, Trouble

# A restart takes less, and what takes longer stops work.
PATIENCE = timedelta(minutes=5)


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
    """Kinds of which some process has lived, and none has given a sign of life for `PATIENCE`.

    One of several that is gone stops nothing. Rows are deleted a day after the last sign, and that revives nobody.
    """
    seen = _last_signs()
    limit = timezone.now() - PATIENCE
    for kind in sorted({*seen, *standing}):
        sign = seen.get(kind)
        if sign is None or sign < limit:
            yield Trouble(
                kind=f"process:{kind}",
                key=kind,
                what=_("No process «%(kind)s» gives a sign of life") % {"kind": kind},
                advice=_("Start it; if it ends again, its log says why."),
                address=reverse("admin:bridge_bridgeprocess_changelist"),
                since=sign,
            )


def _last_signs() -> dict[str, datetime]:
    """When a process of each kind was seen last, one that is stopped as well: whoever stops it for long is told."""
    seen: dict[str, datetime] = {}
    for process in BridgeProcess.objects.order_by("seen_at"):
        seen[getattr(process, "kind", "bridge")] = process.seen_at
    return seen


DETECTORS = [Detector("services", find_services_away), Detector("processes", find_dead_processes)]
