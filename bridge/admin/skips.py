"""Why an act left messages alone, in words: how many of each kind, or one message with its number."""

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# By the codes of `bridge.operations`; values are named in the sentence.
WHY: dict[str, str | Promise] = {
    "no_such_message": gettext_lazy("not there any more"),
    "still_queued": gettext_lazy("still in the queue"),
    "requeued_before": gettext_lazy("put back before"),
    "discarded_before": gettext_lazy("discarded before"),
    "did_not_fail": gettext_lazy("did not fail"),
    "ended": gettext_lazy("ended already"),
    "due_already": gettext_lazy("due already"),
    "in_line": gettext_lazy("a worker gets it in a moment"),
    "running": gettext_lazy("being worked on"),
    "delayed": gettext_lazy("sent to be due later"),
    "work_done": gettext_lazy("its work is done, the outcome waits to be written"),
    "busy": gettext_lazy("in somebody else's hands just now"),
    "postgres_refused": gettext_lazy("the database refuses it"),
}


def why(code: str) -> str:
    """A code that a newer version writes is shown as it is."""
    return str(WHY.get(code, code))


def skips(skipped: Mapping[str, int]) -> Iterable[str]:
    """«2: still in the queue», the most frequent first."""
    for code, count in sorted(skipped.items(), key=lambda item: -int(item[1])):
        yield _("%(count)s: %(why)s") % {"count": count, "why": why(code)}
