"""Customers who buy, pay, verify and book, each step as the front end does it; and staff who give money back."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import psycopg2
import requests

from sandbox.chaos.known import AskedRefund, Known, StartedPayment
from sandbox.chaos.load.desk import Desk
from sandbox.chaos.load.pace import Pace, repeat
from sandbox.chaos.load.patience import GaveUp, PatientApi
from sandbox.chaos.surroundings import (
    CONSULTATION,
    CONSULTATION_PRICE,
    DOMAIN,
    PACKAGE,
    PACKAGE_PRICE,
    customer_id,
)
from sandbox.demo.payments.orders import Diary
from sandbox.demo.payments.till import Till
from sandbox.frontend import Order, Tab

AWAY_SECONDS, PATIENCE_SECONDS = 0.5, 90.0
AT_ONCE = 12
_CUSTOMER = "INSERT INTO auth.users (id, email) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING"
_EXTERNAL = "SELECT external_id FROM balansity.payments_checkout WHERE payment_id = %s"
_STATUS = "SELECT status FROM public.payments WHERE id = %s"

T = TypeVar("T")


@dataclass
class Shop:
    """Where customers buy."""

    url: str
    api: str
    till: Till
    desk: Desk
    known: Known
    seed: int
    over: threading.Event

    def __post_init__(self) -> None:
        self.diary, self._one_at_a_time = Diary(), threading.Lock()

    def free_time(self) -> Any:
        with self._one_at_a_time:
            return self.diary.free_time()


def buy_all(shop: Shop, pace: Pace) -> None:
    """Customers come and buy until the load is over, several at once; returns when the last of them has left."""
    draw = random.Random(f"purchases {shop.seed}")  # noqa: S311
    with ThreadPoolExecutor(AT_ONCE, "customer") as customers:

        def come(number: int) -> None:
            customers.submit(_visit, shop, number, random.Random(f"{shop.seed} {number}"))  # noqa: S311

        repeat(come, pace.purchases, draw=draw, over=shop.over)


def _visit(shop: Shop, number: int, draw: random.Random) -> None:
    about = f"customer {number}"
    try:
        _purchase(shop, number, draw)
    except GaveUp as last:
        shop.known.note(f"{about} gave up: {last}")
    except Exception as error:  # noqa: BLE001 - It is told in the result, and the others go on.
        shop.known.note(f"{about} broke off: {type(error).__name__}: {error}")


def _purchase(shop: Shop, number: int, draw: random.Random) -> None:
    user = customer_id(shop.seed, number)
    slow = "+slow1" if draw.random() < 0.2 else ""
    email = f"payer.{shop.seed}.{number}{slow}@{DOMAIN}"
    _with_postgres(lambda: _execute(shop.url, _CUSTOMER, [user, email]))
    tab = Tab(user, PatientApi(shop.api), email=email, database=shop.url)
    order, amount = _order(shop, tab, draw)
    if draw.random() < 0.5:
        _with_postgres(lambda: tab.insert_payment(order))
    answer = tab.create(order, key=str(uuid.uuid4()))
    if answer.status != requests.codes.ok:
        shop.known.note(f"customer {number} got no form: {answer.status} {answer.code}")
        return
    payment_id = answer.payment_id
    paid = _at_the_form(shop, payment_id, draw)
    shop.known.note(StartedPayment(payment_id, amount, paid))
    if draw.random() < 0.7:
        with suppress(GaveUp):
            for _ in range(draw.choice((1, 1, 2))):
                tab.verify(payment_id)
    if order.books_itself and draw.random() < 0.8:
        # Whatever the answer was: the front end does so.
        _with_postgres(lambda: tab.book(order))
    if paid and draw.random() < 0.5:
        _give_back(shop, payment_id, amount, draw)


def _order(shop: Shop, tab: Tab, draw: random.Random) -> tuple[Order, Decimal]:
    what = draw.random()
    if what < 0.5:
        return Order.package(PACKAGE, str(PACKAGE_PRICE)), PACKAGE_PRICE
    order = Order.new_consultation(CONSULTATION, shop.free_time(), str(CONSULTATION_PRICE))
    if what < 0.8:
        return order, CONSULTATION_PRICE
    booked = _with_postgres(lambda: tab.book(order))
    return Order.booked_consultation(CONSULTATION, booked, str(CONSULTATION_PRICE)), CONSULTATION_PRICE


def _at_the_form(shop: Shop, payment_id: str, draw: random.Random) -> bool:
    """The form is YooKassa's, and works whatever is broken here; returns whether the customer has paid."""
    ((external_id,),) = _with_postgres(lambda: _execute(shop.url, _EXTERNAL, [payment_id]))
    what = draw.random()
    if what < 0.1:
        return False
    if what < 0.2:
        shop.till.decline(external_id, "insufficient_funds")
        return False
    shop.till.pay(external_id)
    return True


def _give_back(shop: Shop, payment_id: str, amount: Decimal, draw: random.Random) -> None:
    """Staff refund it, in part or whole, and now and then two of them at once and more than there is."""
    _await_paid(shop, payment_id)
    share = draw.choice((Decimal("0.3333"), Decimal("0.6"), Decimal(1)))
    part = (amount * share).quantize(Decimal("0.01"))
    together = 2 if draw.random() < 0.4 else 1
    with ThreadPoolExecutor(together, "staff") as staff:
        for asked in [staff.submit(_refund, shop, payment_id, part) for _ in range(together)]:
            asked.result()


def _refund(shop: Shop, payment_id: str, amount: Decimal) -> None:
    try:
        refund_id = shop.desk.refund(payment_id, amount)
    except GaveUp:
        shop.known.note(AskedRefund(payment_id, amount))
    else:
        shop.known.note(AskedRefund(payment_id, amount, refund_id, accepted=bool(refund_id)))


def _await_paid(shop: Shop, payment_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _with_postgres(lambda: _execute(shop.url, _STATUS, [payment_id])) not in ([("completed",)], [("refunded",)]):
        if time.monotonic() > deadline:
            raise GaveUp(f"the payment {payment_id} is not noted as paid")
        time.sleep(AWAY_SECONDS)


def _with_postgres(work: Callable[[], T]) -> T:
    """Supabase's REST layer answers 5xx meanwhile, and the tab tries again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return work()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            if time.monotonic() > deadline:
                raise
            time.sleep(AWAY_SECONDS)


def _execute(url: str, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url, connect_timeout=3)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
