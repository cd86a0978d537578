"""How a mail stands, as staff are shown it: what we did, and what became of it after the provider had taken it."""

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from notifications.models import NOT_ARRIVED, Arrival, EmailMessage, Status, Tracking, Why
from staff.badges import Tone, badge

_TONES = {
    Status.SENDING: Tone.UNDERWAY,
    Status.RETRYING: Tone.LATE,
    Status.SENT: Tone.GOOD,
    Status.FAILED: Tone.BAD,
    Status.DUPLICATE: Tone.QUIET,
}
_ARRIVAL_TONES = {
    Arrival.DEFERRED: Tone.LATE,
    Arrival.DELIVERED: Tone.GOOD,
    Arrival.REJECTED: Tone.BAD,
    Arrival.BOUNCED: Tone.BAD,
    Arrival.COMPLAINED: Tone.BAD,
}
ADVICE: dict[str, str | Promise] = {
    Why.NO_SUCH_MAILBOX: gettext_lazy("Call the client, and have them mend the address in their account."),
    Why.MAILBOX_FULL: gettext_lazy("Call the client: they have to make room, or name another address."),
    Why.TAKEN_FOR_SPAM: gettext_lazy(
        "Ask the client for another address. If it happens to many, SPF, DKIM and DMARC of the sender's domain "
        "have to be looked at."
    ),
    Why.NO_LONGER_WRITTEN_TO: gettext_lazy(
        "An earlier email to this address did not arrive, or was called spam. Clear that up with the client, then take "
        "the address off the provider's list."
    ),
    Why.UNSUBSCRIBED: gettext_lazy(
        "If the client wants our emails all the same, take the address off the provider's list of the unsubscribed."
    ),
    Why.NOT_REACHED: gettext_lazy("Check the part of the address behind the @ with the client."),
    Why.REFUSED: gettext_lazy("Call the client, and ask for another address if it happens again."),
    Why.UNKNOWN: gettext_lazy("Look at this email in the provider's account: more is known there."),
}
OF_COMPLAINT = gettext_lazy(
    "The provider will not write to this address any more. Call the client: it may have been a slip of the finger."
)


def with_arrival(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    """Adds `arrival` and `why_not`, which are null where no provider has told anything."""
    told = Tracking.objects.filter(email=OuterRef("pk"))
    return mails.annotate(arrival=Subquery(told.values("arrival")[:1]), why_not=Subquery(told.values("why")[:1]))


def mail_badge(row: EmailMessage) -> SafeString:
    """Of a row `with_arrival`. What arrived, or did not, says more than that it was sent."""
    arrival = getattr(row, "arrival", None)
    if row.status != Status.SENT or arrival is None:
        return badge(row.get_status_display(), _TONES[Status(row.status)])
    known = Arrival(arrival)
    return badge(str(Arrival.BOUNCED.label if known in NOT_ARRIVED else known.label), _ARRIVAL_TONES[known])


def why_not_arrived(row: EmailMessage) -> str:
    """Of a row `with_arrival`: in words, or nothing."""
    why = getattr(row, "why_not", None)
    return str(Why(why).label) if why else ""
