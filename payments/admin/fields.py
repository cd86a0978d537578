"""What staff see of a payment, in the list and on its page: what was paid, what for, and how it stands at YooKassa."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.customers import shown_customer
from payments.admin.orders import given_text, method_name, order_kind, order_text
from payments.admin.shown_status import attention_badge, checkout_of, is_unproven, payment_badge, shown_status
from payments.advice import receipt_state
from payments.models import Payment
from payments.refunds.request import remaining_amount
from payments.states import OrderKind, ProviderStatus
from staff.badges import Tone, badge
from staff.formats import moment, money, pretty_json, two_lines
from wording.russian import order_number

MAIN = (
    *("status_badge", "order_no", "amount_text", "remaining", "customer_text", "ordered", "given"),
    *("method", "receipt", "created", "paid"),
)
PROVIDER = ("external_id", "provider_status", "income", "expires", "last_check", "next_check")
ROW = ("number", "client_number", "row_status", "updated", "metadata_text", "request_text")


class PaymentFields:
    """A row of the list needs its checkout and customer and what `with_order` and `with_marks` add, and no query."""

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

    @admin.display(description=gettext_lazy("order №"))
    def order_no(self, payment: Payment) -> str:
        """As the client knows it: from the till, the receipt and the mail."""
        return order_number(payment.pk)

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
        return shown_customer(payment)

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

    @admin.display(description=gettext_lazy("can still be refunded"))
    def remaining(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return "—" if checkout is None else money(remaining_amount(checkout), checkout.currency)

    @admin.display(description=gettext_lazy("customer"))
    def customer_text(self, payment: Payment) -> str:
        return ", ".join(filter(None, (payment.user.email, payment.user.phone))) or str(payment.user_id)

    @admin.display(description=gettext_lazy("ordered"))
    def ordered(self, payment: Payment) -> str:
        return order_text(payment)

    @admin.display(description=gettext_lazy("given for it"))
    def given(self, payment: Payment) -> str:
        return given_text(payment)

    @admin.display(description=gettext_lazy("fiscal receipt"))
    def receipt(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        if checkout is None:
            return "—"
        return str(receipt_state(ProviderStatus(checkout.provider_status), checkout.receipt_registration))

    @admin.display(description=gettext_lazy("paid at"))
    def paid(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return moment(checkout.captured_at if checkout else None)

    @admin.display(description=gettext_lazy("id at YooKassa"))
    def external_id(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return (checkout.external_id if checkout else payment.external_payment_id) or "—"

    @admin.display(description=gettext_lazy("status at YooKassa"))
    def provider_status(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return _("never asked") if checkout is None else checkout.get_provider_status_display()

    @admin.display(description=gettext_lazy("income after commission"))
    def income(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        if checkout is None or checkout.income_amount is None:
            return "—"
        return money(checkout.income_amount, checkout.currency)

    @admin.display(description=gettext_lazy("expires"))
    def expires(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return moment(checkout.expires_at if checkout else None)

    @admin.display(description=gettext_lazy("last check"))
    def last_check(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        if checkout is None or checkout.checked_at is None:
            return "—"
        return _("%(time)s (checks so far: %(number)s)") % {
            "time": moment(checkout.checked_at),
            "number": checkout.checks,
        }

    @admin.display(description=gettext_lazy("next check"))
    def next_check(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return moment(checkout.next_check_at if checkout else None)

    @admin.display(description=gettext_lazy("number of the payment"))
    def number(self, payment: Payment) -> str:
        return str(payment.pk)

    @admin.display(description=gettext_lazy("number of the client"))
    def client_number(self, payment: Payment) -> str:
        return str(payment.user_id)

    @admin.display(description=gettext_lazy("status in the site's table"))
    def row_status(self, payment: Payment) -> str:
        if payment.was_deleted:
            return _("there is no row: it was deleted")
        return format_html("{} <code>{}</code>", payment.get_status_display(), payment.status)

    @admin.display(description=gettext_lazy("updated"))
    def updated(self, payment: Payment) -> str:
        return "—" if payment.was_deleted else moment(payment.updated_at)

    @admin.display(description=gettext_lazy("metadata from the site"))
    def metadata_text(self, payment: Payment) -> str:
        return pretty_json(payment.metadata)

    @admin.display(description=gettext_lazy("request to YooKassa"))
    def request_text(self, payment: Payment) -> str:
        checkout = checkout_of(payment)
        return pretty_json(checkout.request_body if checkout else None)
