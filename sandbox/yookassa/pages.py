"""What people see: the shop's payments, the payer's form, and the widget that puts the form into a shop's page."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sandbox.yookassa import views
from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.exchange import Reply, Request, redirect
from sandbox.yookassa.shop import Shop

WIDGET = "/checkout-widget/v1/checkout-widget.js"
_STATIC = Path(__file__).parent / "static"
_FILES = {
    WIDGET: ("checkout-widget.js", "text/javascript"),
    "/frame.js": ("frame.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
# Nothing from elsewhere. The payer's form is made to be shown inside a shop's page, the others are not.
_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'"
_ALONE = f"{_POLICY}; frame-ancestors 'none'"
_LATEST = 100

Form = Mapping[str, str]


class Pages:
    """`/` and `/pay/<id>`, `/widget?token=…`, and their files."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def answer(self, request: Request) -> Reply:
        try:
            return self._change(request) if request.method == "POST" else self._show(request)
        except ApiError as error:
            return _page(views.error_page(error), error.status)

    def _show(self, request: Request) -> Reply:
        if request.path in _FILES:
            name, kind = _FILES[request.path]
            return Reply(HTTPStatus.OK, (_STATIC / name).read_bytes(), f"{kind}; charset=utf-8")
        match request.parts:
            case []:
                payments = self._shop.list_payments({"limit": str(_LATEST)})["items"]
                return _page(views.list_page(payments))
            case ["pay", payment_id]:
                payment = self._shop.payment(payment_id)
                refunds = self._shop.list_refunds({"payment_id": payment_id, "limit": str(_LATEST)})["items"]
                return _page(views.payment_page(payment, refunds, self._shop.return_url(payment_id)))
            case ["widget"]:
                return self._widget(request.query.get("token", ""))
        raise ApiError(HTTPStatus.NOT_FOUND, "There is no such page")

    def _widget(self, token: str) -> Reply:
        try:
            payment = self._shop.payment(self._shop.payment_of_token(token))
        except ApiError:
            return _page(views.unknown_token_page(), policy=_POLICY)
        return _page(views.form_page(payment, token), policy=_POLICY)

    def _change(self, request: Request) -> Reply:
        form = request.form()
        match request.parts:
            case ["pay", payment_id, action]:
                self._act(payment_id, action, form)
                return redirect(f"/pay/{payment_id}")
            case ["widget", action] if action in ("pay", "decline", "leave"):
                token = form.get("token", "")
                self._act(self._shop.payment_of_token(token), action, form)
                return redirect(f"/widget?{urlencode({'token': token})}")
        raise ApiError(HTTPStatus.NOT_FOUND, "There is no such action")

    def _act(self, payment_id: str, action: str, form: Form) -> None:
        shop, method = self._shop, form.get("method", "bank_card")
        actions: dict[str, Callable[[], Any]] = {
            "pay": lambda: shop.pay(payment_id, method=method),
            "decline": lambda: shop.decline(payment_id, reason=form.get("reason", ""), method=method),
            "leave": lambda: shop.expire(payment_id),
            "capture": lambda: shop.capture(payment_id, {}),
            "cancel": lambda: shop.cancel(payment_id),
            "refund": lambda: shop.create_refund({"payment_id": payment_id, "amount": _rubles(form)}),
        }
        if action not in actions:
            raise ApiError(HTTPStatus.NOT_FOUND, "There is no such action")
        actions[action]()


def _rubles(form: Form) -> dict[str, str]:
    return {"value": form.get("amount", "").replace(",", ".").strip(), "currency": "RUB"}


def _page(html: str, status: HTTPStatus = HTTPStatus.OK, policy: str = _ALONE) -> Reply:
    return Reply(status, html.encode(), "text/html; charset=utf-8", {"Content-Security-Policy": policy})
