"""The columns of the payments list."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.badges import attention_badge, payment_badge
from payments.admin.methods import method_name
from payments.admin.orders import order_kind
from payments.admin.shown_status import checkout_of, is_unproven, shown_status
from payments.models import Payment
from payments.states import OrderKind
from staff.badges import Tone, badge
from staff.formats import moment, money, two_lines
from wording.addresses import breakable_address


class PaymentColumns:
    """One row needs the payment with its checkout and customer and what `with_order` and `with_marks` add, no query."""

    @admin.display(description=gettext_lazy("status"))
    def status_badge(self, payment: Payment) -> SafeString:
        checkout, status = checkout_of(payment), shown_status(payment)
        if is_unproven(payment):
            # Never in the colour of what was proven.
            badges = [badge(status.label), badge(_("not confirmed"), Tone.UNPROVEN)]
        else:
            badges = [payment_badge(status)]
        if getattr(payment, "is_marked", False):
            badges.append(attention_badge())
        if checkout is not None and checkout.test:
            badges.append(badge(_("TEST"), Tone.LOUD))
        return format_html_join(" ", "{}", ((one,) for one in badges))

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def amount_text(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        paid = money(payment.amount if checkout is None else checkout.amount, payment.currency)
        if checkout is None or not 0 < checkout.refunded_amount < checkout.amount:
            return paid
        back = _("refunded %(amount)s") % {"amount": money(checkout.refunded_amount, checkout.currency)}
        return two_lines(paid, back)

    @admin.display(description=gettext_lazy("amount and method"), ordering="amount")
    def amount_and_method(self, payment: Payment) -> SafeString:
        """Both in one column: the list has to fit beside the filters."""
        return two_lines(self.amount_text(payment), method_name(checkout_of(payment)))

    @admin.display(description=gettext_lazy("customer"))
    def customer(self, payment: Payment) -> str:
        return breakable_address(payment.user.email or str(payment.user_id))

    @admin.display(description=gettext_lazy("what for"))
    def order(self, payment: Payment) -> str:
        kind = order_kind(payment)
        if kind is None:
            return "—"
        name = getattr(payment, "order_name", None)
        time = getattr(payment, "order_time", None)
        second = moment(time) if time else str(OrderKind(kind).label) if name else ""
        return two_lines(name or str(OrderKind(kind).label), second)

    @admin.display(description=gettext_lazy("method"))
    def method(self, payment: Payment) -> str:
        return method_name(checkout_of(payment))

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, payment: Payment) -> str:
        return moment(payment.created_at)
