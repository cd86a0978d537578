"""Which failed mails still need a person: what was sent again, or reached its reader another way, is history.

What our own rules refused needs nobody either: most of it strangers have asked for.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from bridge.reasons import FailureReason
from notifications.models import EmailMessage, Status


def with_standing(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    """Adds `is_settled`: whether a failed one was made good since."""
    return mails.annotate(is_settled=_made_good())


def open_failures(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    return mails.filter(~_made_good(), ~Q(reason=FailureReason.REFUSED), status=Status.FAILED)


def settled_failures(mails: QuerySet[EmailMessage]) -> QuerySet[EmailMessage]:
    return mails.filter(_made_good(), status=Status.FAILED)


def _made_good() -> Q:
    again = EmailMessage.objects.filter(queue=OuterRef("queue"), requeued_from=OuterRef("msg_id"))
    # The same mail, asked for by another message.
    same = EmailMessage.objects.filter(~Q(dedupe_key=""), dedupe_key=OuterRef("dedupe_key"), status=Status.SENT)
    return Q(Exists(again)) | Q(Exists(same.exclude(pk=OuterRef("pk"))))
