"""YooKassa's words for who refused, how a receipt stands and what a notification tells, in words of ours.

The words are those of its OpenAPI description. New ones appear without notice: then the code is named beside something
that staff can read, and nothing fails.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from wording.payment_methods import OTHER, method_in_words

Text = str | Promise

_PARTIES: dict[str, Text] = {
    "merchant": gettext_lazy("our shop"),
    "yoo_money": gettext_lazy("YooKassa"),
    "payment_network": gettext_lazy("the bank or another participant of the payment"),
    "refund_network": gettext_lazy("the bank or another participant of the refund"),
    "deal_participant": gettext_lazy("a participant of the deal"),
}
_RECEIPTS: dict[str, Text] = {
    "": gettext_lazy("no data yet"),
    "pending": gettext_lazy("being registered with the tax office"),
    "succeeded": gettext_lazy("registered"),
    "canceled": gettext_lazy("not registered"),
}
_EVENTS: dict[str, Text] = {
    "payment.waiting_for_capture": gettext_lazy("the money is reserved"),
    "payment.succeeded": pgettext_lazy("event", "paid"),
    "payment.canceled": pgettext_lazy("event", "the payment was cancelled"),
    "refund.succeeded": gettext_lazy("the refund was made"),
    "payment_method.active": gettext_lazy("a payment method was saved"),
    "payout.succeeded": gettext_lazy("a payout was made"),
    "payout.canceled": gettext_lazy("a payout was cancelled"),
    "deal.closed": gettext_lazy("a safe deal was closed"),
}


def party_name(party: str) -> Text:
    """Who refused; empty when nobody is named."""
    return _known(_PARTIES, party) if party else ""


def receipt_name(registration: str) -> Text:
    """How the registration of a fiscal receipt stands."""
    return _known(_RECEIPTS, registration)


def receipt_with_code(registration: str) -> str:
    """«зарегистрирован (succeeded)»."""
    return _with_code(_RECEIPTS, registration)


def event_name(event: str) -> Text:
    """What a notification tells; empty for one without an event."""
    return _known(_EVENTS, event) if event else ""


def event_with_code(event: str) -> str:
    return _with_code(_EVENTS, event) if event else ""


def method_text(kind: str, title: str) -> str:
    """«банковская карта *4477»; a method that is new to us with its code; «—» for none."""
    if not kind:
        return title or "—"
    name = method_in_words(kind)
    told = f"{name} ({kind})" if name == OTHER else name
    _before, star, digits = title.rpartition("*")
    return " ".join((told, *((star + digits,) if star else ())))


def undescribed(code: str) -> str:
    """What stands for a word of YooKassa's that is new to us."""
    return _("new at YooKassa: %(code)s") % {"code": code}


def _with_code(names: Mapping[str, Text], code: str) -> str:
    return f"{names[code]} ({code})" if code in names else undescribed(code)


def _known(names: Mapping[str, Text], code: str) -> Text:
    return names[code] if code in names else undescribed(code)
