"""How people pay, in Russian: the methods by the codes that YooKassa gives them, those of former years too."""

import re

_METHODS = {
    "alfa_pay": "Alfa Pay",
    "alfabank": "Альфа-Клик",
    "apple_pay": "Apple Pay",
    "b2b_sberbank": "СберБизнес",
    "bank_card": "банковская карта",
    "cash": "наличные в терминале",
    "electronic_certificate": "электронный сертификат",
    "google_pay": "Google Pay",
    "installments": "«Заплатить по частям»",
    "mobile_balance": "счёт мобильного телефона",
    "qiwi": "кошелёк QIWI",
    "sber_bnpl": "«Плати частями» от Сбера",
    "sber_loan": "рассрочка Сбера",
    "sberbank": "SberPay",
    "sbp": "СБП",
    "tinkoff_bank": "T-Pay",
    "webmoney": "WebMoney",
    "wechat": "WeChat Pay",
    "yoo_money": "кошелёк ЮMoney",
    "yookassa": "ЮKassa",
}
OTHER = "другой способ"
_CODE = re.compile(r"[a-z0-9_.-]+")


def method_in_words(code: str) -> str:
    """«банковская карта»; a text that is no code as it is; «другой способ» for a code that is new to us."""
    return _METHODS.get(code) or (OTHER if _CODE.fullmatch(code) else code)
