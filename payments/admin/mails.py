"""The mails that were sent about a payment, for those who may see mails."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.safestring import SafeString

from notifications.models import EmailMessage
from notifications.shown_status import mail_badge, why_not_arrived, with_arrival
from payments.models import Fulfilment, Payment
from staff.formats import moment, two_lines

MOST_MAILS = 20


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
    rows = with_arrival(EmailMessage.objects.filter(about__in=about).exclude(about="").defer("html_body", "text_body"))
    return [
        MailLine(
            row.pk,
            moment(row.created_at),
            row.subject or str(row),
            row.recipient,
            two_lines(mail_badge(row), why) if (why := why_not_arrived(row)) else mail_badge(row),
        )
        for row in rows.order_by("-created_at", "-pk")[:MOST_MAILS]
    ]
