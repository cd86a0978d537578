"""Which services outside are known to be away, so that nothing is attempted that needs them."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext

from bridge.breaker.advice import advice
from bridge.breaker.services import services
from bridge.breaker.states import away
from bridge.diagnosis import Finding, error


def look_at_services() -> Iterator[Finding]:
    for state in away():
        yield error(
            "services.away",
            _cause(state.name),
            _advice(state.kind),
            name=state.name,
            since=f"{timezone.localtime(state.since):%Y-%m-%d %H:%M:%S %Z}",
            waiting=state.waiting,
            why=state.why.rstrip(". "),
        )


def _sentence(name: str) -> str:
    """The name of the service is a word of ours: it is in the language of whoever reads the sentence."""
    text = gettext("%(name)s does not do its part since %(since)s, and %(waiting)s messages wait for it: %(why)s")
    return text.replace("%(name)s", services.label(name).replace("%", "%%"))


_advice, _cause = lazy(advice, str), lazy(_sentence, str)
