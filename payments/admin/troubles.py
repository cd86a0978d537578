"""What is wrong with a payment and what to do about it: the top of its page, empty when all is well."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.shown_status import checkout_of, is_at_provider, is_stuck, is_unproven, shown_status
from payments.advice import ATTENTION, RECEIPT_AGAIN, decline_advice, told_with_party
from payments.ledger.marks import is_marked, open_marks
from payments.models import Checkout, Payment, PaymentAttention
from payments.receipts import CANCELED
from payments.states import Attention, ProviderStatus
from payments.words import Text
from staff.formats import in_moscow, moment


@dataclass(frozen=True, slots=True)
class Trouble:
    """`note` is for the developers: English, with ids. With a `mark_id` staff can clear it."""

    title: Text
    next_step: Text = ""
    note: str = ""
    mark_id: int | None = None


def troubles_of(payment: Payment) -> list[Trouble]:
    """The most pressing first."""
    checkout = checkout_of(payment)
    found = [_of_mark(mark) for mark in open_marks(payment.pk)]
    if checkout is not None:
        found.extend(_of_checkout(checkout))
    found.extend(_deleted(checkout) if payment.was_deleted else _of_row(payment))
    if is_stuck(payment):
        found.append(_stuck(checkout))
    return found


def _of_mark(mark: PaymentAttention) -> Trouble:
    title = _("Needs attention since %(time)s: %(why)s") % {
        "time": moment(mark.since),
        "why": mark.get_reason_display(),
    }
    return Trouble(title, ATTENTION[mark.reason], in_moscow(mark.note), mark_id=mark.pk)


def _deleted(checkout: Checkout | None) -> list[Trouble]:
    marked = checkout is not None and is_marked(checkout.pk, Attention.ROW_DELETED)
    title = gettext_lazy("The site's row of this payment was deleted: the client does not see it any more.")
    return [] if marked else [Trouble(title)]


def _of_checkout(checkout: Checkout) -> list[Trouble]:
    found = []
    if checkout.provider_status == ProviderStatus.CANCELED:
        advice = decline_advice(checkout.cancellation_reason)
        what = told_with_party(advice.what, checkout.cancellation_party)
        found.append(Trouble(what, advice.next_step, checkout.cancellation_reason))
    # The registration of a payment that was never made is "canceled" as well.
    unregistered = checkout.provider_status == ProviderStatus.SUCCEEDED and checkout.receipt_registration == CANCELED
    if unregistered and not is_marked(checkout.pk, Attention.RECEIPT_FAILED):
        # From before there was a mark for it, or dealt with by a person.
        found.append(Trouble(gettext_lazy("The fiscal receipt was not registered."), RECEIPT_AGAIN))
    return found


def _of_row(payment: Payment) -> list[Trouble]:
    if is_unproven(payment) and not is_at_provider(payment):
        title = _("The site's table says “%(status)s”, and no such payment was ever created at YooKassa.")
        step = gettext_lazy(
            "There is no payment: give nothing for it. If the client says that they have paid, look the payment up in "
            "YooKassa's office by its amount and date."
        )
        return [Trouble(title % {"status": payment.get_status_display()}, step)]
    if is_unproven(payment):
        title = _("The site's table says “%(status)s”, and YooKassa was never asked.")
        step = gettext_lazy("Check it at YooKassa now: only what YooKassa says is proof.")
        return [Trouble(title % {"status": payment.get_status_display()}, step)]
    if payment.status == shown_status(payment):
        return []
    title = _("Somebody wrote “%(theirs)s” into the site's table; YooKassa says “%(ours)s”.") % {
        "theirs": payment.get_status_display(),
        "ours": shown_status(payment).label,
    }
    return [Trouble(title, gettext_lazy("Check it at YooKassa now: that corrects the table."))]


def _stuck(checkout: Checkout | None) -> Trouble:
    title = gettext_lazy("Not finished for more than 15 minutes.")
    if checkout is None:
        return Trouble(title, gettext_lazy("The client left before the form of YooKassa opened. No money was taken."))
    if checkout.provider_status == ProviderStatus.WAITING_FOR_CAPTURE:
        return Trouble(title)
    step = gettext_lazy(
        "The client has probably closed the form: YooKassa ends such a payment after about an hour. It is checked by "
        "itself; check it now if the client says that they have paid."
    )
    return Trouble(title, step)
