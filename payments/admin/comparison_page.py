"""The page that shows a payment as we have it beside what YooKassa says at this moment."""

from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.failures import ASKING, explain
from payments.advice import decline_reason
from payments.checking.comparison import Compared, Method, Value, compare_payment
from payments.models import Payment
from payments.states import PaymentStatus, ProviderStatus
from payments.words import method_text, receipt_with_code, undescribed
from staff.formats import money
from staff.read_only import ReadOnlyAdmin

_NAMES: dict[str, str | Promise] = {
    "external_id": gettext_lazy("id at YooKassa"),
    "payment_id": gettext_lazy("id of our payment"),
    "status": gettext_lazy("status at YooKassa"),
    "row_status": gettext_lazy("status in the site's table"),
    "amount": gettext_lazy("amount"),
    "currency": gettext_lazy("currency"),
    "refunded_amount": gettext_lazy("refunded"),
    "method": gettext_lazy("method"),
    "cancellation_reason": gettext_lazy("reason of the refusal"),
    "receipt_registration": gettext_lazy("fiscal receipt"),
    "test": gettext_lazy("test payment"),
}


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    ours: str
    theirs: str
    differs: bool


def comparison_page(model_admin: ReadOnlyAdmin, request: HttpRequest, payment: Payment) -> HttpResponse:
    """Ask YooKassa and show both sides, or say why that cannot be. The caller has checked the permission."""
    both: list[Compared] = []
    failure = ""
    try:
        both = compare_payment(payment)
    except ASKING as error:
        failure = explain(error)
    context = {
        "row": payment,
        "rows": [_row(compared) for compared in both],
        "differences": sum(compared.differs for compared in both),
        "is_beyond_checks": any(compared.is_beyond_checks for compared in both),
        "failure": failure,
    }
    response = model_admin.page(request, "admin/payments/comparison.html", _("Comparison with YooKassa"), **context)
    response["Cache-Control"] = "no-store"
    return response


def _row(compared: Compared) -> Row:
    ours, theirs = (_text(compared.name, value) for value in (compared.ours, compared.theirs))
    return Row(str(_NAMES[compared.name]), ours, theirs, compared.differs)


def _text(name: str, value: Value) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case Decimal():
            return money(value)
        case Method():
            return method_text(value.kind, value.title)
        case None | "":
            return "—"
    if name == "cancellation_reason":
        return decline_reason(value)
    if name == "receipt_registration":
        return receipt_with_code(value)
    if name == "status":
        return f"{ProviderStatus(value).label} ({value})" if value in ProviderStatus.values else undescribed(value)
    if name == "row_status" and value in PaymentStatus.values:
        return f"{PaymentStatus(value).label} ({value})"
    return value
