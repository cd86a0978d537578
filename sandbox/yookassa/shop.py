"""The stand-in's memory and state machine: what exists, and which change may follow which."""

import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from sandbox.yookassa.errors import ApiError, invalid, not_found
from sandbox.yookassa.listing import PAYMENTS, REFUNDS, list_objects
from sandbox.yookassa.methods import METHODS
from sandbox.yookassa.records import REASONS, Payment, Refund, Registration, Status
from sandbox.yookassa.validation import read_capture_request, read_payment_request, read_refund_request

Json = dict[str, Any]
# Real ones take minutes.
REGISTER_AFTER = 2.0
OnEvent = Callable[[str, Json], None]


class Shop:
    """One shop's payments and refunds; every method is atomic and returns what YooKassa would show afterwards.

    `on_event` is told of each event with a picture of the object, in the order of the events; it must not call back.
    Unpaid payments end after `pay_within` seconds, reserved ones after `capture_within`. New refunds get
    `refund_status` (`succeeded`, `pending`, or `canceled`). A receipt is registered `register_after` seconds after the
    money moved; with `None` only by `register_receipt`. Raises `ApiError`.
    """

    def __init__(
        self,
        shop_id: str,
        on_event: OnEvent,
        *,
        page_url: str = "",
        pay_within: float = 3600.0,
        capture_within: float = 7 * 86400.0,
    ) -> None:
        self.shop_id = shop_id
        self.page_url = page_url
        self.pay_within, self.capture_within = pay_within, capture_within
        self.refund_status = Status.SUCCEEDED
        self.register_after: float | None = REGISTER_AFTER
        self._on_event = on_event
        self._payments: dict[str, Payment] = {}
        self._refunds: dict[str, Refund] = {}
        self._lock = threading.RLock()

    def create_payment(self, body: Any) -> Json:
        wanted, now = read_payment_request(body), _now()
        payment_id = str(uuid.uuid4())
        payment = Payment(
            id=payment_id,
            account_id=self.shop_id,
            amount=wanted.amount,
            description=wanted.description,
            metadata=wanted.metadata,
            capture=wanted.capture,
            confirmation=wanted.confirmation,
            confirmation_token=f"ct-{secrets.token_urlsafe(24)}",
            confirmation_url=f"{self.page_url}pay/{payment_id}",
            customer_id=wanted.customer_id,
            method=wanted.method,
            receipt=wanted.receipt,
            created_at=now,
            pay_until=now + timedelta(seconds=self.pay_within),
        )
        with self._lock:
            self._payments[payment_id] = payment
            return payment.to_json()

    def payment(self, payment_id: str) -> Json:
        with self._lock:
            return self._payment(payment_id).to_json()

    def payment_of_token(self, token: str) -> str:
        """Return the id of the payment that an embedded form with this token is for."""
        with self._lock:
            for payment in self._payments.values():
                if secrets.compare_digest(payment.confirmation_token.encode(), token.encode()):
                    return payment.id
        raise not_found("token", "no payment has this token")

    def return_url(self, payment_id: str) -> str:
        with self._lock:
            return self._payment(payment_id).confirmation.return_url

    def list_payments(self, query: Mapping[str, str]) -> Json:
        with self._lock:
            self.expire_due()
            return list_objects([one.to_json() for one in self._payments.values()], query, PAYMENTS)

    def capture(self, payment_id: str, body: Any) -> Json:
        amount = read_capture_request(body)
        with self._lock:
            payment = self._in(payment_id, Status.WAITING_FOR_CAPTURE)
            if amount is not None and amount > payment.amount:
                raise invalid("amount", "more than was reserved")
            payment.amount = amount or payment.amount
            return self._succeed(payment, _now())

    def cancel(self, payment_id: str) -> Json:
        with self._lock:
            return self._close(self._in(payment_id, Status.WAITING_FOR_CAPTURE), "canceled_by_merchant", "merchant")

    def succeed(self, payment_id: str, *, method: str = "bank_card", at: datetime | None = None) -> Json:
        """The payer pays, and the money is taken at once."""
        with self._lock:
            payment = self._in(payment_id, Status.PENDING, Status.WAITING_FOR_CAPTURE)
            self._use(payment, method)
            return self._succeed(payment, at or _now())

    def wait_for_capture(self, payment_id: str, *, method: str = "bank_card", at: datetime | None = None) -> Json:
        """The payer pays, and the money is reserved."""
        with self._lock:
            payment = self._in(payment_id, Status.PENDING)
            self._use(payment, method)
            payment.capture_until = (at or _now()) + timedelta(seconds=self.capture_within)
            return self._move(payment, Status.WAITING_FOR_CAPTURE)

    def pay(self, payment_id: str, *, method: str = "bank_card") -> Json:
        """The payer pays; whether that takes the money or reserves it was said when the payment was made."""
        with self._lock:
            capture = self._payment(payment_id).capture
            return (self.succeed if capture else self.wait_for_capture)(payment_id, method=method)

    def decline(
        self, payment_id: str, *, reason: str = "insufficient_funds", party: str = "", method: str = "bank_card"
    ) -> Json:
        """The payment fails; `reason` may be one that nobody has heard of."""
        with self._lock:
            payment = self._in(payment_id, Status.PENDING, Status.WAITING_FOR_CAPTURE)
            self._use(payment, method)
            return self._close(payment, reason, party or REASONS.get(reason, "payment_network"))

    def expire(self, payment_id: str) -> Json:
        """The time to pay, or to capture, is over."""
        with self._lock:
            return self._expire(self._in(payment_id, Status.PENDING, Status.WAITING_FOR_CAPTURE))

    def expire_due(self) -> None:
        with self._lock:
            now = _now()
            for payment in self._payments.values():
                until = {Status.PENDING: payment.pay_until, Status.WAITING_FOR_CAPTURE: payment.capture_until}
                if (end := until.get(payment.status)) and end <= now:
                    self._expire(payment)
            registering: list[Payment | Refund] = [*self._payments.values(), *self._refunds.values()]
            for one in registering:
                if one.register_at is not None and one.register_at <= now:
                    self._register(one, Registration.SUCCEEDED)

    def create_refund(self, body: Any) -> Json:
        wanted = read_refund_request(body)
        with self._lock:
            payment = self._to_refund(wanted.payment_id)
            if wanted.amount > payment.remaining:
                raise invalid("amount", f"more than what can be refunded: {payment.remaining}")
            whole = wanted.amount == payment.amount
            if wanted.receipt and whole:
                raise invalid("receipt", "with a refund of the whole payment it is made from the payment's own")
            receipt = payment.receipt if whole else wanted.receipt
            refund = Refund(
                id=str(uuid.uuid4()),
                payment_id=payment.id,
                amount=wanted.amount,
                description=wanted.description,
                metadata=wanted.metadata,
                receipt=receipt,
                created_at=_now(),
            )
            payment.held += refund.amount
            self._refunds[refund.id] = refund
            if self.refund_status is Status.SUCCEEDED:
                return self.succeed_refund(refund.id)
            return self.cancel_refund(refund.id) if self.refund_status is Status.CANCELED else refund.to_json()

    def refund(self, refund_id: str) -> Json:
        with self._lock:
            self.expire_due()
            return self._refund(refund_id).to_json()

    def list_refunds(self, query: Mapping[str, str]) -> Json:
        with self._lock:
            self.expire_due()
            refunds = [one.to_json() for one in self._refunds.values()]
            return list_objects(refunds, query, REFUNDS)

    def succeed_refund(self, refund_id: str) -> Json:
        with self._lock:
            refund = self._pending_refund(refund_id)
            refund.status, refund.register_at = Status.SUCCEEDED, self._register_at()
            self._payments[refund.payment_id].refunded += refund.amount
            self._on_event("refund.succeeded", refund.to_json())
            return refund.to_json()

    def cancel_refund(self, refund_id: str, *, reason: str = "insufficient_funds", party: str = "yoo_money") -> Json:
        """The refund fails. YooKassa sends no notification of that."""
        with self._lock:
            refund = self._pending_refund(refund_id)
            refund.status, refund.reason, refund.party = Status.CANCELED, reason, party
            self._payments[refund.payment_id].held -= refund.amount
            return refund.to_json()

    def register_receipt(self, object_id: str, *, state: str = Registration.SUCCEEDED) -> Json:
        """The tax office takes the receipt of a payment or refund, or refuses it. There is no notification of that."""
        with self._lock:
            one = self._refunds.get(object_id) or self._payment(object_id)
            if not one.receipt or one.status is not Status.SUCCEEDED:
                raise invalid("receipt", f"there is none to register, and the status is {one.status}")
            return self._register(one, Registration(state))

    def _register(self, one: Payment | Refund, state: Registration) -> Json:
        one.registration, one.register_at = state, None
        return one.to_json()

    def _register_at(self) -> datetime | None:
        return None if self.register_after is None else _now() + timedelta(seconds=self.register_after)

    def _payment(self, payment_id: str) -> Payment:
        self.expire_due()
        if payment_id not in self._payments:
            raise not_found("payment_id", "Payment doesn't exist or access denied")
        return self._payments[payment_id]

    def _in(self, payment_id: str, *statuses: Status) -> Payment:
        payment = self._payment(payment_id)
        if payment.status not in statuses:
            raise invalid("payment_id", f"not possible for a payment that is {payment.status}")
        return payment

    def _to_refund(self, payment_id: str) -> Payment:
        # A wrong id in the body is a wrong request: 404 is for an id in the address.
        if payment_id not in self._payments:
            raise invalid("payment_id", "Payment doesn't exist or access denied")
        return self._in(payment_id, Status.SUCCEEDED)

    def _refund(self, refund_id: str) -> Refund:
        if refund_id not in self._refunds:
            raise not_found("refund_id", "Refund doesn't exist or access denied")
        return self._refunds[refund_id]

    def _pending_refund(self, refund_id: str) -> Refund:
        refund = self._refund(refund_id)
        if refund.status is not Status.PENDING:
            raise invalid("refund_id", f"not possible for a refund that is {refund.status}")
        return refund

    def _use(self, payment: Payment, method: str) -> None:
        if method not in METHODS:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"one of {', '.join(METHODS)}", "method")
        payment.method, payment.method_used = method, True

    def _succeed(self, payment: Payment, at: datetime) -> Json:
        payment.captured_at, payment.register_at = at, self._register_at()
        return self._move(payment, Status.SUCCEEDED)

    def _expire(self, payment: Payment) -> Json:
        reserved = payment.status is Status.WAITING_FOR_CAPTURE
        return self._close(payment, "expired_on_capture" if reserved else "expired_on_confirmation", "yoo_money")

    def _close(self, payment: Payment, reason: str, party: str) -> Json:
        payment.reason, payment.party = reason, party
        return self._move(payment, Status.CANCELED)

    def _move(self, payment: Payment, status: Status) -> Json:
        payment.status = status
        self._on_event(f"payment.{status}", payment.to_json())
        return payment.to_json()


def _now() -> datetime:
    return datetime.now(UTC)
