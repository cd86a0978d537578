"""What a payment is for, how it was paid, and what its payer got, in words."""

import uuid
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin.shown_status import checkout_of
from payments.models import Appointment, AppointmentType, Checkout, Fulfilment, Package, PackagePurchase, Payment
from payments.states import OrderKind
from payments.words import method_text
from staff.formats import moment

_APPOINTMENT_STATUSES: dict[str, str | Promise] = {
    "scheduled": gettext_lazy("scheduled"),
    "in_progress": gettext_lazy("in progress"),
    "completed": gettext_lazy("took place"),
    "cancelled": gettext_lazy("was called off"),
    "no_show": gettext_lazy("the client did not come"),
}


def with_order(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Adds `order_name`, what the catalogue calls the thing that was ordered, and `order_time`."""
    kind = AppointmentType.objects.filter(pk=OuterRef("checkout__appointment_type_id"))
    package = Package.objects.filter(pk=OuterRef("checkout__package_id"))
    return payments.annotate(
        order_name=Coalesce(Subquery(kind.values("name")[:1]), Subquery(package.values("name")[:1])),
        order_time=F("checkout__scheduled_at"),
    )


def order_text(payment: Payment) -> str:
    """«Консультация: Семейная сессия, 01.12.2026 15:00»; only the kind for rows that were never started, or «—»."""
    kind, checkout = order_kind(payment), checkout_of(payment)
    name = getattr(payment, "order_name", None)
    if kind is None:
        return "—"
    label = str(OrderKind(kind).label).capitalize()
    text = f"{label}: {name}" if name else label
    return text if checkout is None or checkout.scheduled_at is None else f"{text}, {moment(checkout.scheduled_at)}"


def order_kind(payment: Payment) -> str | None:
    """A value of `OrderKind`, or `None`. What a row alone says was written by its payer."""
    checkout = checkout_of(payment)
    kind: Any = checkout.kind if checkout is not None else (payment.metadata or {})
    if isinstance(kind, dict):
        kind = kind.get("type")
    return kind if isinstance(kind, str) and kind in OrderKind.values else None


def method_name(checkout: Checkout | None) -> str:
    """How a payment was paid, in words; «—» before the payer chose."""
    return "—" if checkout is None else method_text(checkout.method_type, checkout.method_title)


def given_text(payment: Payment) -> str:
    """What the payer got for the money and how it stands now, or that it was nothing."""
    fulfilment: Fulfilment | None = getattr(payment, "fulfilment", None)
    if fulfilment is not None and fulfilment.appointment_id is not None:
        return _appointment(fulfilment.appointment_id)
    if fulfilment is not None and fulfilment.purchase_id is not None:
        return _purchase(fulfilment.purchase_id)
    checkout = checkout_of(payment)
    if checkout is not None and checkout.give_at is not None:
        return _("nothing yet: it is kept for the client and given at %(time)s") % {"time": moment(checkout.give_at)}
    return _("nothing")


def _appointment(pk: uuid.UUID) -> str:
    row = Appointment.objects.select_related("appointment_type").filter(pk=pk).first()
    if row is None:
        return _("the consultation %(id)s, which was deleted since") % {"id": pk}
    status = _APPOINTMENT_STATUSES.get(row.status, row.status)
    return _("the consultation “%(name)s” on %(time)s: %(status)s") % {
        "name": row.appointment_type.name,
        "time": moment(row.scheduled_at),
        "status": status,
    }


def _purchase(pk: uuid.UUID) -> str:
    row = PackagePurchase.objects.select_related("package").filter(pk=pk).first()
    if row is None:
        return _("the package %(id)s, which was deleted since") % {"id": pk}
    return _("the package “%(name)s”: %(left)s of %(all)s sessions left") % {
        "name": row.package.name,
        "left": row.sessions_remaining,
        "all": row.package.session_count,
    }
