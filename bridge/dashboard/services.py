"""The section about services outside: which of them are known to be away, and whether the broker answers."""

from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bridge.breaker import ServiceState, states
from bridge.breaker.advice import kind_name
from bridge.dashboard.broker import broker
from bridge.dashboard.words import Row, clock
from staff.badges import Tone, badge
from staff.formats import whole
from staff.sections import once


@once
def services_now() -> list[ServiceState]:
    return states()


def read_services() -> dict[str, Any]:
    return {"rows": [*map(_row, services_now()), _broker()]}


def _row(state: ServiceState) -> Row:
    name = str(capfirst(state.label))
    if not state.is_open or state.since is None:
        return Row(state.name, name, badge(_("works"), Tone.GOOD))
    waiting = ngettext("%(count)s message waits", "%(count)s messages wait", state.waiting) % {
        "count": whole(state.waiting)
    }
    since = _("since %(time)s") % {"time": clock(state.since)}
    return Row(state.name, name, badge(kind_name(state.kind), Tone.BAD), f"{since}; {waiting}")


def _broker() -> Row:
    is_there = broker.look().is_there
    shown = badge(_("works"), Tone.GOOD) if is_there else badge(_("no answer"), Tone.BAD)
    return Row("broker", _("Broker (Redis)"), shown)
