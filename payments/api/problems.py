"""What the API answers for each error of the payments: status, code, and a sentence for front-end developers."""

from dataclasses import dataclass

from rest_framework.exceptions import APIException, ValidationError

from payments.errors import (
    AlreadyPaid,
    AppointmentClosed,
    AppointmentNotFound,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    MoreThanRemains,
    NoAmount,
    NothingToRefund,
    NotPaid,
    OrderFault,
    OrderRefused,
    PaymentFinished,
    PaymentMissing,
    PaymentNotFound,
    PaymentNotStored,
    ProfileNotFound,
    ProviderMismatch,
    ProviderNotConfigured,
    ReceiptImpossible,
    RefundOfAnother,
    RequestInFlight,
    SlotTaken,
    UnknownCustomer,
)
from payments.yookassa.errors import Rejected, Unavailable

# When to come again where YooKassa named no time.
ASK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`detail` may name the values of its error. The code is the error's own, unless `code` says otherwise."""

    status: int
    detail: str
    code: str = ""
    retry_after: float | None = None
    # Asking again for what is at work starts no payment, so it does not use up that budget.
    counted_as: str | None = None


ANSWERS: dict[type[Exception], Answer] = {
    InvalidIdempotencyKey: Answer(400, "Idempotency-Key must have 1 to 255 visible ASCII characters"),
    UnknownCustomer: Answer(403, "This user has no customer account"),
    PaymentNotFound: Answer(404, "Payment not found"),
    PaymentMissing: Answer(404, "Payment not found"),
    AppointmentNotFound: Answer(404, "Appointment not found"),
    ProfileNotFound: Answer(404, "Profile not found"),
    AlreadyPaid: Answer(409, "This consultation is already paid"),
    AppointmentClosed: Answer(409, "This consultation is over or was cancelled"),
    SlotTaken: Answer(409, "This time is already taken"),
    PaymentFinished: Answer(
        409, "This payment is finished; verify it to see how, and send a new Idempotency-Key to pay once more"
    ),
    ProviderMismatch: Answer(409, "This payment needs a look by support"),
    RequestInFlight: Answer(
        409, "A request with this Idempotency-Key is still at work", retry_after=2, counted_as="default"
    ),
    RefundOfAnother: Answer(409, "this request was made already, for another payment or amount"),
    NotPaid: Answer(409, "only a payment that YooKassa reports as paid can be refunded"),
    NothingToRefund: Answer(409, "nothing is left to refund: everything went back or is on its way"),
    NoAmount: Answer(409, "the amount must be at least 0.01, with two decimals at most"),
    MoreThanRemains: Answer(409, "at most {remaining} {currency} can still be refunded, not {wanted}"),
    ReceiptImpossible: Answer(
        409,
        "a refund of a part needs a fiscal receipt, and the customer's account has neither an e-mail address nor a "
        "telephone number that it can be sent to: refund the whole sum, or refund in the admin and make the receipt by "
        "hand",
    ),
    IdempotencyKeyReused: Answer(422, "This Idempotency-Key came with another request before"),
    Rejected: Answer(502, "The payment provider refused the request", "provider_rejected"),
    Unavailable: Answer(
        503,
        "The payment provider does not answer, try again later",
        "provider_unavailable",
        retry_after=ASK_AGAIN_SECONDS,
    ),
    PaymentNotStored: Answer(503, "The payment could not be stored, try again later", retry_after=30),
    ProviderNotConfigured: Answer(503, "Payments are not set up", retry_after=60),
}

ORDER_FAULTS: dict[OrderFault, str] = {
    OrderFault.NOT_AN_OBJECT: "metadata must be a JSON object",
    OrderFault.TOO_DEEP: "metadata is nested more than {most} deep",
    OrderFault.NUMBER_OUT_OF_RANGE: "metadata has a number out of range",
    OrderFault.NO_UUID: "metadata.{key} must be a UUID",
    OrderFault.NO_TIME_WITH_ZONE: "metadata.{key} must be a time with its zone, like 2026-11-23T14:30:00Z",
    OrderFault.TOO_LARGE: "metadata has more than {most} bytes",
    OrderFault.UNKNOWN_TYPE: "metadata.type must be one of {known}",
    OrderFault.AMBIGUOUS: "metadata.{key} does not belong to an order of type {kind}",
    OrderFault.PACKAGE_MISSING: "metadata.package_id is missing",
    OrderFault.APPOINTMENT_TYPE_MISSING: "metadata.appointment_type_id is missing",
    OrderFault.START_MISSING: ("metadata needs scheduled_at for a new consultation, or appointment_id of a booked one"),
    OrderFault.UNKNOWN_PACKAGE: "this package is not on sale",
    OrderFault.UNKNOWN_APPOINTMENT_TYPE: "this kind of consultation is not on sale",
    OrderFault.OTHER_APPOINTMENT_TYPE: "the booked consultation is of another kind",
    OrderFault.OTHER_PRICE: "the price is {price}",
    OrderFault.IN_THE_PAST: "the time has passed",
    OrderFault.RECEIPT_CONTACT_MISSING: (
        "the receipt needs an e-mail address or a telephone number in the customer's account that it can be sent to"
    ),
}

# Whatever ends in an answer that tells the caller why.
TOLD: tuple[type[Exception], ...] = (APIException, OrderRefused, *ANSWERS)


class ApiProblem(APIException):
    """What DRF's views end with, as the handler of the project reads it."""

    def __init__(self, answer: Answer, *, code: str, detail: str, retry_after: float | None) -> None:
        super().__init__(detail, code)
        self.status_code, self.retry_after, self.counted_as = answer.status, retry_after, answer.counted_as


class OrderProblem(ValidationError):
    def __init__(self, error: OrderRefused) -> None:
        text = ORDER_FAULTS[error.fault].format(**error.values)
        super().__init__({error.field: [text]}, code=error.code)
        # What the handler takes the code of the whole answer from.
        self.default_code = error.code


def api_exception(error: Exception) -> APIException | None:
    """The answer to an error of the payments, or `None` for one that no caller is told about."""
    if isinstance(error, OrderRefused):
        return OrderProblem(error)
    wait = getattr(error, "retry_after", None)
    answer = next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), None)
    if answer is None:
        return None
    return ApiProblem(
        answer,
        code=answer.code or str(getattr(error, "code", "")),
        detail=answer.detail.format(**getattr(error, "values", {})),
        retry_after=answer.retry_after if wait is None else wait,
    )
