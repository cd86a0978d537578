"""Which failed mails still need a person: what was sent again, or reached its reader another way, is history.

What our own rules refused needs nobody either: most of it strangers have asked for. Nor does what somebody discarded.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from bridge.reasons import FailureReason
from notifications.models import UNWELCOME, Arrival, EmailMessage, Status, Tracking

# An address that nobody could mend within this time is not mended by reading of it every morning.
BOUNCES_STAY = timedelta(days=14)


def with_standing(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    """Adds `is_settled`: whether a failed one was made good since."""
    return mails.annotate(is_settled=_made_good())


def open_failures(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    settled = (FailureReason.REFUSED, FailureReason.DISCARDED)
    # Each by itself: with an «or» between them Postgres reads the whole index of mails that were sent again first.
    return mails.filter(~Exists(_again()), ~Exists(_same()), ~Q(reason__in=settled), status=Status.FAILED)


def settled_failures(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    return mails.filter(_made_good(), status=Status.FAILED)


def open_bounces(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    """Those that a provider took and could not deliver, or that were called spam, lately.

    Not those whose recipient got a later one: the address works again.
    """
    told = Tracking.objects.filter(arrival__in=UNWELCOME, email__isnull=False, at__gt=Now() - BOUNCES_STAY)
    later = EmailMessage.objects.filter(
        ~Q(mailbox=""),
        mailbox=OuterRef("mailbox"),
        created_at__gt=OuterRef("created_at"),
        told__arrival=Arrival.DELIVERED,
    )
    return mails.filter(~Exists(later), pk__in=told.values("email_id"))


def _made_good() -> Q:
    return Q(Exists(_again())) | Q(Exists(_same()))


def _again() -> QuerySet[EmailMessage]:
    """What was sent in the place of a mail. Most were never sent again, and need not be gone through."""
    sent_again = EmailMessage.objects.filter(requeued_from__isnull=False)
    return sent_again.filter(queue=OuterRef("queue"), requeued_from=OuterRef("msg_id"))


def _same() -> QuerySet[EmailMessage]:
    """The same mail, asked for by another message."""
    sent = EmailMessage.objects.filter(~Q(dedupe_key=""), dedupe_key=OuterRef("dedupe_key"), status=Status.SENT)
    return sent.exclude(pk=OuterRef("pk"))
