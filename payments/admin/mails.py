"""The mails that were sent about a payment, for those who may see mails."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.utils.safestring import SafeString

from notifications.models import EmailMessage
from notifications.shown_status import mail_badge, why_not_arrived, with_arrival
from notifications.waiting import Waiting, waiting_about
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
    about = [str(one) for one in _things(payment) if one]
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


def waiting_mails(request: HttpRequest, payment: Payment) -> Waiting | None:
    """Those about the same that nobody began to send yet."""
    if not request.user.has_perm("notifications.view_emailmessage"):
        return None
    # None is about a package.
    keys = zip(("payment_id", "appointment_id"), _things(payment), strict=False)
    return waiting_about(request, [(key, str(id_)) for key, id_ in keys if id_])


def _things(payment: Payment) -> tuple[UUID | None, ...]:
    """The payment, and the consultation and the package that were given for it."""
    given = Fulfilment.objects.filter(pk=payment.pk).values_list("appointment_id", "purchase_id").first()
    return (payment.pk, *(given or ()))
