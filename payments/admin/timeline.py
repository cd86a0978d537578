"""The timeline of a payment in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.advice import decline_reason, refund_reason
from payments.models import Fulfilment, Payment, PaymentEvent
from payments.states import (
    Attention,
    Door,
    EventKind,
    OrderKind,
    PaymentStatus,
    ProviderStatus,
    RefundStatus,
)
from payments.words import event_name, receipt_name
from staff.formats import in_moscow, moment, money

MOST_EVENTS = 200

# In the order in which they are shown: the database keeps no order of keys.
_LABELS: dict[str, str | Promise] = {
    "amount": gettext_lazy("amount"),
    "status": gettext_lazy("status"),
    "reason": gettext_lazy("reason"),
    "note": gettext_lazy("note"),
    "code": gettext_lazy("code"),
    "refund": gettext_lazy("refund"),
    "external_id": gettext_lazy("id at YooKassa"),
    "external_payment_id": gettext_lazy("id at YooKassa"),
    "currency": gettext_lazy("currency"),
    "event": gettext_lazy("event"),
    "object": gettext_lazy("object"),
    "notification": gettext_lazy("notification №"),
    "queued": gettext_lazy("queued as message №"),
    "order": gettext_lazy("what for"),
    "what": gettext_lazy("what"),
    "how": gettext_lazy("how"),
    "id": gettext_lazy("id"),
    "state": gettext_lazy("state"),
    "until": gettext_lazy("until"),
    "kept": gettext_lazy("stays"),
    "removed": gettext_lazy("removed"),
}
# Which detail of an event a machine words for the developers. A person's note is for people.
_TECHNICAL: dict[str, str] = {
    EventKind.ATTENTION: "note",
    EventKind.PROVIDER_AWAY: "error",
    EventKind.PROVIDER_REFUSED: "error",
}
_ORDER = {name: place for place, name in enumerate(_LABELS)}


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `parts` are its details, each a readable piece; `by` is empty for machines.

    `technical` is what a machine noted for the developers, in English.
    """

    time: str
    what: str
    door: str
    by: str
    parts: tuple[str, ...]
    technical: str
    kind: str


def timeline_of(payment: Payment) -> list[Line]:
    """The latest events, newest first."""
    events = PaymentEvent.objects.filter(payment_id=payment.pk).select_related("actor").order_by("-created_at", "-pk")
    return [_line(event) for event in events[:MOST_EVENTS]]


def _line(event: PaymentEvent) -> Line:
    technical = _TECHNICAL.get(event.kind, "")
    return Line(
        time=moment(event.created_at),
        what=event.get_kind_display(),
        door=str(Door(event.door).label) if event.door in Door.values else event.door,
        by=event.actor.get_username() if event.actor is not None else "",
        parts=tuple(details(event.kind, {name: value for name, value in event.data.items() if name != technical})),
        technical=in_moscow(str(event.data.get(technical, ""))),
        kind=event.kind,
    )


def details(kind: str, data: dict[str, Any]) -> list[str]:
    """What an event tells, piece by piece. Keys that have no word of their own are shown as they are."""
    data = dict(sorted(data.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))))
    if kind == EventKind.STATUS_CORRECTED:
        return [_correction(name, value) for name, value in data.items()]
    shown = {name: value for name, value in data.items() if value not in (None, "")}
    parts = []
    if kind == EventKind.STATUS_CHANGED:
        old, new = data.get("old", ""), shown.pop("new", "")
        shown.pop("old", None)
        parts.append(f"{_choice(ProviderStatus, old)} → {_choice(ProviderStatus, new)}")
    if shown.pop("adopted", False):
        parts.append(_("the row that the site made was used"))
    return parts + [_part(kind, name, value) for name, value in shown.items()]


def _correction(name: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{_LABELS.get(name, name)}: {value}"
    found, right = value.get("found", ""), value.get("right", "")
    if name == "status":
        found, right = _choice(PaymentStatus, found), _choice(PaymentStatus, right)
    return _("%(field)s: was “%(found)s”, is “%(right)s” again") % {
        "field": _LABELS.get(name, name),
        "found": found,
        "right": right,
    }


def _part(kind: str, name: str, value: Any) -> str:
    read = _READERS.get((kind, name)) or _READERS.get(("", name)) or str
    return f"{_LABELS.get(name, name)}: {read(value)}"


def _choice(choices: Any, value: Any) -> str:
    return str(choices(value).label) if value in choices.values else str(value)


def _short(pk: Any) -> str:
    return f"{str(pk)[:8]}…"


def _moment(value: Any) -> str:
    try:
        return moment(datetime.fromisoformat(str(value)))
    except ValueError:
        return str(value)


def _amount(value: Any) -> str:
    try:
        return money(Decimal(str(value)))
    except InvalidOperation:
        return str(value)


_READERS: dict[tuple[str, str], Callable[[Any], str]] = {
    ("", "amount"): _amount,
    # The whole id is on the page of the refund and in the fields above.
    ("", "event"): lambda value: str(event_name(str(value))),
    ("", "refund"): _short,
    ("", "id"): _short,
    (EventKind.CREATED, "order"): lambda value: _choice(OrderKind, value),
    (EventKind.ATTENTION, "reason"): lambda value: _choice(Attention, value),
    (EventKind.ATTENTION_CLEARED, "reason"): lambda value: _choice(Attention, value),
    (EventKind.STATUS_CHANGED, "reason"): lambda value: decline_reason(str(value)),
    (EventKind.REFUND_CHANGED, "reason"): lambda value: refund_reason(str(value)),
    (EventKind.REFUND_CHANGED, "status"): lambda value: _choice(RefundStatus, value),
    (EventKind.CHECKED, "status"): lambda value: _choice(PaymentStatus, value),
    (EventKind.FULFILLED, "what"): lambda value: _choice(OrderKind, value),
    (EventKind.HELD, "until"): _moment,
    (EventKind.MERGED, "kept"): _short,
    (EventKind.MERGED, "removed"): lambda value: (
        ", ".join(map(_short, value)) if isinstance(value, list) else str(value)
    ),
    ("", "how"): lambda value: _choice(Fulfilment.How, value),
    (EventKind.RECEIPT_CHANGED, "state"): lambda value: str(receipt_name(str(value))),
}
