"""The page that asks before money goes back."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize_input
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.rights import RowsHidden
from payments.admin.customers import shown_customer
from payments.admin.failures import explain
from payments.admin.orders import given_text, order_text
from payments.errors import PaymentError, ReceiptImpossible, RefundRefused
from payments.models import Checkout, Payment, Refund
from payments.receipts import can_send_receipt
from payments.refunds.request import CENT, remaining_amount, request_refund
from payments.states import Door
from staff.fields import AmountField
from staff.formats import money
from staff.pages import actor_id
from staff.read_only import ReadOnlyAdmin


class RefundForm(forms.Form):
    """`once` is made with the page and becomes the refund's id: a page that is sent twice refunds once.

    How much can be refunded is up to the service, which alone knows it under the lock.
    """

    amount = AmountField(
        label=gettext_lazy("Amount, ₽"), min_value=CENT, max_digits=10, decimal_places=2, localize=True
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=250,
        help_text=gettext_lazy("For colleagues: who asked for it and why. The client does not see it."),
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )
    once = forms.UUIDField(widget=forms.HiddenInput)
    by_hand = forms.BooleanField(label=gettext_lazy("I make the fiscal receipt of this refund by hand"), required=False)

    def __init__(self, *args: Any, can_send_receipt: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if can_send_receipt:
            del self.fields["by_hand"]


def refund_page(model_admin: ReadOnlyAdmin, request: HttpRequest, payment: Payment) -> HttpResponse:
    """Ask, and on POST request the refund. The caller has checked the permission."""
    checkout = Checkout.objects.filter(pk=payment.pk).first()
    remaining = Decimal(0) if checkout is None else remaining_amount(checkout)
    receipts = {"can_send_receipt": checkout is None or can_send_receipt(checkout)}
    if request.method == "POST":
        form = RefundForm(request.POST, **receipts)
        if form.is_valid() and _request(model_admin, request, payment, form):
            return model_admin.back_to(payment)
    elif remaining > 0:
        form = RefundForm(initial={"amount": localize_input(remaining), "once": uuid.uuid4()}, **receipts)
    else:
        model_admin.message_user(request, _("Nothing is left to refund on this payment."), messages.ERROR)
        return model_admin.back_to(payment)
    context = {
        "row": payment,
        "form": form,
        "confirm": _("Refund the money"),
        "customer": shown_customer(payment),
        "amount": money(payment.amount if checkout is None else checkout.amount, payment.currency),
        "remaining": money(remaining, payment.currency),
        "order": order_text(payment),
        "given": given_text(payment),
        **receipts,
    }
    return model_admin.page(request, "admin/payments/refund.html", _("Refund"), **context)


def _request(model_admin: ReadOnlyAdmin, request: HttpRequest, payment: Payment, form: RefundForm) -> bool:
    """Request the refund and say so; `False` puts the reason into the form."""
    once = form.cleaned_data["once"]
    sent = Refund.objects.filter(pk=once, payment_id=payment.pk).first()
    if sent is not None:
        text = _("This form was sent already: a refund of %(amount)s was requested, and no second one.")
        model_admin.message_user(request, text % {"amount": money(sent.amount, sent.currency)}, messages.WARNING)
        return True
    try:
        refund = request_refund(
            payment_id=payment.pk,
            amount=form.cleaned_data["amount"],
            reason=form.cleaned_data["reason"],
            actor_id=actor_id(request),
            door=Door.STAFF,
            refund_id=once,
            without_receipt=form.cleaned_data.get("by_hand", False),
        )
    except RefundRefused as error:
        left = remaining_amount(Checkout.objects.get(pk=payment.pk))
        field = "by_hand" if isinstance(error, ReceiptImpossible) else "amount"
        form.add_error(field, explain(error, amount=money(left)))
        return False
    except (PaymentError, RowsHidden) as error:
        form.add_error(None, explain(error))
        return False
    amount = money(refund.amount, refund.currency)
    model_admin.log_change(request, payment, _("Refund of %(amount)s requested.") % {"amount": amount})
    text = _("The refund of %(amount)s is on its way: YooKassa makes it, and the status changes by itself.")
    model_admin.message_user(request, text % {"amount": amount}, messages.SUCCESS)
    return True
