"""What a provider's word about a mail means: anymail's names for its events, and why a mail did not arrive.

Each mail of ours has one recipient, so a word about a mail is one about its recipient.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.utils import timezone

from notifications.models import NOT_ARRIVED, Arrival, Why
from wording.masking import mask_tokens
from wording.plain_text import one_line

MOST_ID = 255
MOST_DETAIL = 500
# Nobody hears of a mail later than this, and nothing of ours is older.
OLDEST = timedelta(days=365)

# Whether somebody opened a mail, or what they clicked, is nobody's business and is dropped with all the rest.
ARRIVALS = {
    EventType.DEFERRED: Arrival.DEFERRED,
    EventType.DELIVERED: Arrival.DELIVERED,
    EventType.REJECTED: Arrival.REJECTED,
    EventType.FAILED: Arrival.REJECTED,
    EventType.BOUNCED: Arrival.BOUNCED,
    EventType.COMPLAINED: Arrival.COMPLAINED,
}

# In this order: what a list at the provider says was made from what happened to an earlier mail.
_WORDS = (
    (Why.UNSUBSCRIBED, r"unsubscribed"),
    (Why.NO_LONGER_WRITTEN_TO, r"suppress|bounced address|spam report"),
    (Why.MAILBOX_FULL, r"(mailbox|inbox)[ _]?(is |was )?full|over ?quota|quota exceeded|\b[45]\.2\.2\b"),
    (Why.TAKEN_FOR_SPAM, r"spam|black_?list|block ?list|reputation|policy|\b5\.7\.\d|dmarc|\bspf\b|dkim"),
    (
        Why.NO_SUCH_MAILBOX,
        (
            r"(user|mailbox|account|address|recipient)\b.{0,60}(unknown|not found|not exist|n't exist|inactive|disabled"
            r"|unavailable|invalid)|no such (user|mailbox|recipient|address)|err_user_unknown|err_user_inactive"
            r"|err_mailbox_discarded|unknown user|invalid (recipient|address|mailbox)|\b5\.1\.(1|2|3|6|10)\b|noemail"
        ),
    ),
    (
        Why.NOT_REACHED,
        (
            r"timed? ?out|expired|unreachable|err_domain_inactive|err_destination_misconfigured"
            r"|unable to (get|resolve) mx|host (or domain name )?not found|connection (refused|timed)|\b[45]\.4\.\d"
        ),
    ),
)
_REASONS = {
    RejectReason.INVALID: Why.NO_SUCH_MAILBOX,
    RejectReason.TIMED_OUT: Why.NOT_REACHED,
    RejectReason.BLOCKED: Why.NO_LONGER_WRITTEN_TO,
    RejectReason.SPAM: Why.TAKEN_FOR_SPAM,
    RejectReason.UNSUBSCRIBED: Why.UNSUBSCRIBED,
}


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider says became of the mail that it calls `id`, as of `at`. `why` is for those that have not come."""

    id: str
    arrival: Arrival
    at: datetime
    why: str = ""
    detail: str = ""


def word_of(event: AnymailTrackingEvent) -> Word | None:
    """What an event of anymail's says; `None` for one that says nothing of a mail's arrival, or of no mail."""
    arrival = ARRIVALS.get(event.event_type)
    id_ = event.message_id
    if arrival is None or not isinstance(id_, str) or not 0 < len(id_) <= MOST_ID or not id_.isprintable():
        return None
    said = " ".join(str(part) for part in (event.description, event.mta_response) if part)
    detail = one_line(mask_tokens(said), MOST_DETAIL)
    at = _sensible(event.timestamp)
    if arrival not in NOT_ARRIVED:
        return Word(id_, arrival, at, detail=detail if arrival is Arrival.DEFERRED else "")
    return Word(id_, arrival, at, _why(arrival, event.reject_reason, said), detail)


def _why(arrival: Arrival, reason: str | None, said: str) -> Why:
    words = said.lower()
    for why, pattern in _WORDS:
        if re.search(pattern, words):
            return why
    if (known := _REASONS.get(reason or "")) is not None:
        return known
    # Where no server was asked, none has refused.
    return Why.REFUSED if arrival is Arrival.BOUNCED and words else Why.UNKNOWN


def _sensible(moment: datetime | None) -> datetime:
    """The time of an event, never one to come: a clock that is ahead must not outrank what is told later."""
    now = timezone.now()
    if moment is None:
        return now
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware, now - OLDEST), now)
