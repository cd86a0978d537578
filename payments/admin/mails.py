"""The mails that were sent about a payment, for those who may see mails."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.safestring import SafeString

from notifications.models import EmailMessage, Status
from payments.models import Fulfilment, Payment
from staff.badges import Tone, badge
from staff.formats import moment

MOST_MAILS = 20
_TONES = {Status.SENT: Tone.GOOD, Status.FAILED: Tone.BAD, Status.RETRYING: Tone.LATE, Status.SENDING: Tone.UNDERWAY}


@dataclass(frozen=True, slots=True)
class MailLine:
    pk: int
    created: str
    subject: str
    recipient: str
    status: SafeString


def mails_about(request: HttpRequest, payment: Payment) -> list[MailLine] | None:
    """Those about the payment and about what was given for it, the newest first; `None` for whoever may see none."""
    if not request.user.has_perm("notifications.view_emailmessage"):
        return None
    given = Fulfilment.objects.filter(pk=payment.pk).values_list("appointment_id", "purchase_id").first() or ()
    about = [str(one) for one in (payment.pk, *given) if one]
    rows = EmailMessage.objects.filter(about__in=about).exclude(about="").defer("html_body", "text_body")
    return [
        MailLine(
            row.pk,
            moment(row.created_at),
            row.subject or str(row),
            row.recipient,
            badge(row.get_status_display(), _TONES.get(Status(row.status), Tone.QUIET)),
        )
        for row in rows.order_by("-created_at", "-pk")[:MOST_MAILS]
    ]
