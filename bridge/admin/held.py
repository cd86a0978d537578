"""Why nothing of a queue is started, in words for whoever asks after one of its messages."""

from django.utils.translation import gettext as _

from bridge.admin.pausing import described
from bridge.breaker import services
from bridge.holds import PAUSE, Hold, in_force
from staff.formats import moment


def why_held(queue: str) -> list[str]:
    """A sentence for each thing that holds it; none where it is worked on."""
    return [sentence_of(hold) for hold in in_force(queue).get(queue, ())]


def sentence_of(hold: Hold) -> str:
    if hold.cause == PAUSE:
        return _("The queue is paused %(hold)s") % {"hold": described(hold)}
    values = {"since": moment(hold.since), "service": services.label(hold.service)}
    return _("Nothing of it is started since %(since)s: it waits for the service %(service)s.") % values
