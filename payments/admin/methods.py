"""The names of YooKassa's payment methods."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from payments.models import Checkout

_NAMES: dict[str, str | Promise] = {
    "bank_card": gettext_lazy("bank card"),
    "sbp": gettext_lazy("SBP"),
    "yoo_money": gettext_lazy("YooMoney wallet"),
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
    "mobile_balance": gettext_lazy("mobile phone account"),
    "cash": gettext_lazy("cash at a terminal"),
    "sber_loan": gettext_lazy("instalments of Sberbank"),
    "sber_bnpl": gettext_lazy("instalments of Sberbank"),
    "b2b_sberbank": gettext_lazy("Sberbank for business"),
    "electronic_certificate": gettext_lazy("electronic certificate"),
}


def method_name(checkout: Checkout | None) -> str:
    """How a payment was paid, in words; «—» before the payer chose."""
    return "—" if checkout is None else method_text(checkout.method_type, checkout.method_title)


def method_text(kind: str, title: str) -> str:
    """«банковская карта *4477»; a method that is new to us as YooKassa calls it; «—» for none."""
    if not kind:
        return title or "—"
    _, star, digits = title.rpartition("*")
    return " ".join((str(_NAMES.get(kind, kind)), *((star + digits,) if star else ())))
