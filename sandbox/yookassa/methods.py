"""How payers pay: what may be asked for, what the stand-in's own page offers, and how a used method is shown.

https://yookassa.ru/developers/api#payment_object_payment_method
"""

from typing import Any

from sandbox.yookassa.errors import invalid

# What the payer may choose on the stand-in's page, and the title that a payment then shows.
METHODS = {
    "bank_card": "Bank card *4444",
    "sbp": "СБП",
    "yoo_money": "YooMoney wallet 410011758831136",
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
}
# What a shop may ask for when it creates a payment.
_REQUESTABLE = frozenset(
    (
        *METHODS,
        *("cash", "mobile_balance", "b2b_sberbank", "sber_loan", "electronic_certificate", "sber_bnpl", "alfa_pay"),
    )
)
# By which a list may be narrowed: the methods of former years too.
LISTED = _REQUESTABLE | {"alfabank", "webmoney", "wechat", "apple_pay", "google_pay", "qiwi", "installments"}

_CARD = {
    "first6": "555555",
    "last4": "4444",
    "expiry_year": "2030",
    "expiry_month": "07",
    "card_type": "MasterCard",
    "issuer_country": "RU",
}
_DETAILS: dict[str, dict[str, Any]] = {
    "bank_card": {"card": _CARD},
    "sbp": {
        "sbp_operation_id": "1027088AE4CB48CB81287833347A8777",
        "payer_bank_details": {"bank_id": "100000000111", "bic": "044525225"},
    },
    "yoo_money": {"account_number": "410011758831136"},
}


def check_requested_method(raw: Any) -> str:
    """Return the type that the shop asks for, or nothing. Raises `ApiError`."""
    if raw is None:
        return ""
    if not isinstance(raw, dict) or raw.get("type") not in _REQUESTABLE:
        raise invalid("payment_method_data.type", f"one of {', '.join(sorted(_REQUESTABLE))}")
    if raw["type"] == "mobile_balance" and not isinstance(raw.get("phone"), str):
        raise invalid("payment_method_data.phone", "must be a number like 79000000000")
    return str(raw["type"])


def shown_method(method: str, *, payment_id: str, used: bool) -> dict[str, Any]:
    """Return the member `payment_method`; one that was only asked for has no title and no details yet."""
    shown: dict[str, Any] = {"type": method, "id": payment_id, "saved": False, "status": "inactive"}
    return shown | ({"title": METHODS[method]} | _DETAILS.get(method, {}) if used else {})
