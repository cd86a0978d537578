"""The pages as HTML, in Russian: payers and support staff look at them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.methods import METHODS

Json = dict[str, Any]

_MOSCOW = ZoneInfo("Europe/Moscow")
_RUSSIAN = str.maketrans({",": "\N{NO-BREAK SPACE}", ".": ","})
_STATUSES = {
    "pending": "ожидает оплаты",
    "waiting_for_capture": "деньги заблокированы",
    "succeeded": "оплачен",
    "canceled": "отменён",
}
_REFUND_STATUSES = {"pending": "в обработке", "succeeded": "возвращён", "canceled": "не прошёл"}
_METHODS = {
    "bank_card": "Банковская карта •••• 4444",
    "sbp": "СБП",
    "yoo_money": "Кошелёк ЮMoney",
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
}
# What the payer's side can bring about; the rest of the reasons comes with time, or from the shop.
DECLINES = {
    "insufficient_funds": "Не хватает денег",
    "3d_secure_failed": "Не пройден 3-D Secure",
    "call_issuer": "Нужно позвонить в банк",
    "card_expired": "Истёк срок карты",
    "country_forbidden": "Карта выпущена в другой стране",
    "fraud_suspected": "Подозрение на мошенничество",
    "general_decline": "Банк отказал без причины",
    "identification_required": "Нужна идентификация кошелька",
    "internal_timeout": "Технические неполадки",
    "invalid_card_number": "Неверный номер карты",
    "invalid_csc": "Неверный код CVC",
    "issuer_unavailable": "Банк недоступен",
    "payment_method_limit_exceeded": "Исчерпан лимит",
    "payment_method_restricted": "Операции запрещены",
    "permission_revoked": "Автоплатёж отозван",
    "unsupported_mobile_operator": "Оператор не поддерживается",
}


def list_page(payments: Sequence[Json]) -> str:
    rows = "".join(
        f"<tr><td>{_time(one['created_at'])}</td><td class=sum>{_money(one)}</td><td>{_badge(one['status'])}</td>"
        f"<td><a href='/pay/{one['id']}'>{escape(one.get('description', '')) or 'без описания'}</a></td></tr>"
        for one in payments
    )
    heads = "<tr class=heads><th>Создан</th><th>Сумма</th><th>Статус</th><th>Описание</th></tr>"
    table = f"<table>{heads}{rows}</table>" if rows else "<p>Платежей ещё нет.</p>"
    return _page("Платежи магазина", f"<p class=note>Учебная касса: настоящие деньги не списываются.</p>{table}")


def payment_page(payment: Json, refunds: Sequence[Json], return_url: str) -> str:
    """Everything about a payment, for whoever plays payer, bank and shop at once."""
    status, action = payment["status"], f"/pay/{payment['id']}"
    parts = [
        f"<p><a href='/'>Все платежи</a></p><p class=amount>{_money(payment)} {_badge(status)}</p>",
        _facts(payment),
    ]
    if status == "pending":
        parts += [_pay_forms(action, _money(payment))]
    if status == "waiting_for_capture":
        parts += [_button(f"{action}/capture", "Списать"), _button(f"{action}/cancel", "Отменить")]
    if status == "canceled":
        parts += [_cancellation(payment)]
    if payment["refundable"]:
        parts += [_refund_form(action, payment)]
    if refunds:
        rows = "".join(
            f"<tr><td>{_time(one['created_at'])}</td><td class=sum>{_money(one)}</td>"
            f"<td>{_REFUND_STATUSES[one['status']]}</td></tr>"
            for one in refunds
        )
        parts += [f"<h2>Возвраты</h2><table>{rows}</table>"]
    if return_url and status != "pending":
        parts += [f"<p><a class=button href='{escape(return_url)}'>Вернуться в магазин</a></p>"]
    return _page(payment.get("description") or "Платёж", "".join(parts))


def form_page(payment: Json, token: str) -> str:
    """The payer's form inside a shop's page; `frame.js` tells that page how it ended."""
    hidden = f"<input type=hidden name=token value='{escape(token)}'>"
    outcome, parts = "", [f"<p class=amount>{_money(payment)}</p>"]
    match payment["status"]:
        case "pending":
            parts += [
                f"<p>{escape(payment.get('description', ''))}</p>",
                _pay_forms("/widget", _money(payment), hidden),
            ]
        case "canceled":
            expired = payment["cancellation_details"]["reason"] == "expired_on_confirmation"
            outcome = "token_expired" if expired else "fail"
            parts += ["<p class=bad>Платёж не прошёл</p>", _cancellation(payment)]
        case _:
            outcome = "success"
            parts += ["<p class=good>Оплата прошла</p>"]
    return _page("Оплата", "".join(parts), f"<script src='/frame.js' data-outcome='{outcome}' defer></script>")


def unknown_token_page() -> str:
    script = "<script src='/frame.js' data-outcome='invalid_token' defer></script>"
    return _page("Оплата", "<p class=bad>Форма оплаты не найдена. Вернитесь в магазин и начните заново.</p>", script)


def error_page(error: ApiError) -> str:
    about = f"{error.parameter}: {error.description}" if error.parameter else error.description
    return _page("Не получилось", f"<p class=bad>{escape(about)}</p><p><a href='/'>Все платежи</a></p>")


def _page(title: str, body: str, script: str = "") -> str:
    return (
        f"<!doctype html><html lang=ru><head><meta charset=utf-8><title>{escape(title)}</title>"
        f"<meta name=viewport content='width=device-width, initial-scale=1'><link rel=stylesheet href='/page.css'>"
        f"{script}</head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _pay_forms(action: str, amount: str, hidden: str = "") -> str:
    methods = "".join(
        f"<label><input type=radio name=method value={name}{' checked' if name == 'bank_card' else ''}> "
        f"{_METHODS[name]}</label>"
        for name in METHODS
    )
    reasons = "".join(f"<option value={name}>{text}</option>" for name, text in DECLINES.items())
    return (
        f"<form method=post action='{action}/pay'>{hidden}<fieldset><legend>Чем платить</legend>{methods}</fieldset>"
        f"<button class=main>Оплатить {amount}</button></form>"
        f"<details><summary>Другой исход</summary><form method=post action='{action}/decline'>{hidden}"
        f"<label>Причина <select name=reason>{reasons}</select></label> <button>Отклонить</button></form>"
        f"<form method=post action='{action}/leave'>{hidden}<button>Уйти, не оплатив</button></form></details>"
    )


def _refund_form(action: str, payment: Json) -> str:
    left = Decimal(payment["amount"]["value"]) - Decimal(payment["refunded_amount"]["value"])
    return (
        f"<form method=post action='{action}/refund'><label>Вернуть, рублей "
        f"<input name=amount value='{left}' inputmode=decimal size=10></label> <button>Вернуть</button></form>"
    )


def _button(action: str, text: str) -> str:
    return f"<form method=post action='{action}'><button>{text}</button></form>"


def _facts(payment: Json) -> str:
    facts = {"Номер": payment["id"], "Создан": _time(payment["created_at"])}
    if "captured_at" in payment:
        facts["Оплачен"] = _time(payment["captured_at"])
    if method := payment.get("payment_method"):
        facts["Способ"] = _METHODS[method["type"]]
    if "receipt_registration" in payment:
        facts["Чек"] = {"pending": "готовится", "succeeded": "пробит", "canceled": "не пробит"}[
            payment["receipt_registration"]
        ]
    facts |= {f"metadata.{name}": value for name, value in payment["metadata"].items()}
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in facts.items())}</dl>"


def _cancellation(payment: Json) -> str:
    reason = payment["cancellation_details"]["reason"]
    late = {
        "expired_on_confirmation": "Время на оплату вышло",
        "expired_on_capture": "Время на списание вышло",
        "canceled_by_merchant": "Отменён магазином",
    }
    return f"<p>{escape((DECLINES | late).get(reason, reason))}</p>"


def _badge(status: str) -> str:
    return f"<span class='badge {status}'>{_STATUSES[status]}</span>"


def _money(shown: Json) -> str:
    plain = f"{Decimal(shown['amount']['value']):,.2f}"
    return plain.translate(_RUSSIAN) + "\N{NO-BREAK SPACE}₽"


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(_MOSCOW):%d.%m.%Y %H:%M:%S} МСК"
