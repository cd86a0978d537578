"""Which services outside are known to be away, so that nothing is attempted that needs them."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from bridge.breaker.advice import advice
from bridge.breaker.services import services
from bridge.breaker.states import away
from bridge.diagnosis import Finding, error


def look_at_services() -> Iterator[Finding]:
    for state in away():
        yield error(
            "services.away",
            _("%(name)s does not do its part since %(since)s, and %(waiting)s messages wait for it: %(why)s"),
            _advice(state.kind),
            name=_label(state.name),
            since=f"{timezone.localtime(state.since):%Y-%m-%d %H:%M:%S %Z}",
            waiting=state.waiting,
            why=state.why.rstrip(". "),
        )


_advice, _label = lazy(advice, str), lazy(services.label, str)
