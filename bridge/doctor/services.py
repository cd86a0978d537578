"""Which services outside are known to be away, so that nothing is attempted that needs them."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.functional import lazy
from django.utils.translation import gettext

from bridge.breaker.advice import advice
from bridge.breaker.services import services
from bridge.breaker.states import away
from bridge.diagnosis import Finding, error
from staff.formats import moment


def look_at_services() -> Iterator[Finding]:
    for state in away():
        yield error(
            "services.away",
            _cause(state.name, state.since),
            _advice(state.kind),
            name=state.name,
            waiting=state.waiting,
            why=state.why.rstrip(". "),
        )


def _sentence(name: str, since: datetime | None) -> str:
    """The name of the service is a word of ours, and a time has a spelling: both are those of whoever reads it."""
    text = gettext("%(name)s does not do its part since %(since)s, and %(waiting)s messages wait for it: %(why)s")
    text = text.replace("%(since)s", moment(since))
    return text.replace("%(name)s", services.label(name).replace("%", "%%"))


_advice, _cause = lazy(advice, str), lazy(_sentence, str)
