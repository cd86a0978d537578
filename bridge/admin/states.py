"""How a message stands, in words and as a badge: while it waits, while it runs, and when it has ended."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.message import MessageState, Outcome
from bridge.reasons import FailureReason
from staff.badges import Tone, badge

OTHER = "other"

STATES: dict[MessageState, tuple[str | Promise, Tone]] = {
    MessageState.READY: (gettext_lazy("ready to be taken"), Tone.UNDERWAY),
    MessageState.RETRYING: (gettext_lazy("waiting for a repeat"), Tone.LATE),
    MessageState.RUNNING: (gettext_lazy("running"), Tone.UNDERWAY),
    MessageState.IN_LINE: (gettext_lazy("in line for a worker"), Tone.UNDERWAY),
    MessageState.DELAYED: (gettext_lazy("delayed"), Tone.QUIET),
}
OUTCOMES: dict[str, tuple[str | Promise, Tone]] = {
    Outcome.SUCCEEDED: (gettext_lazy("work done"), Tone.GOOD),
    Outcome.FAILED: (gettext_lazy("ended in failure"), Tone.BAD),
    Outcome.DUPLICATE: (gettext_lazy("a duplicate"), Tone.QUIET),
    OTHER: (gettext_lazy("archived by somebody else"), Tone.UNPROVEN),
}


def state_badge(state: MessageState) -> SafeString:
    return badge(*STATES[state])


def outcome_of(history: Mapping[str, Any]) -> str:
    """One of `OUTCOMES`; what a sender wrote there is none."""
    outcome = history.get("outcome")
    return outcome if outcome in set(Outcome) else OTHER


def outcome_badge(history: Mapping[str, Any]) -> SafeString:
    """How it ended. What failed and was put back, or discarded, since is history, and has no alarming colour."""
    if outcome_of(history) == Outcome.FAILED:
        if history.get("requeued_as"):
            return badge(_("failed, put back since"), Tone.QUIET)
        if history.get("discarded_at"):
            return badge(_("failed, discarded"), Tone.QUIET)
    return badge(*OUTCOMES[outcome_of(history)])


def reason_label(reason: object) -> str:
    """Why it failed, in words; a reason that nobody knows is shown as it is."""
    text = str(reason or "")
    return str(FailureReason(text).label) if text in FailureReason.values else text
