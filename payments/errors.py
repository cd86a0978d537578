"""What can go wrong with a payment, apart from what the provider says (`payments.yookassa.errors`).

Nothing here is worded for people: `payments.api.problems` does that for front-end developers, `payments.admin.failures`
for staff.
"""

from enum import StrEnum

from bridge.errors import CodedError, NotYet, PermanentError, Refused


class PaymentError(CodedError):
    """Base of everything this package raises itself."""

    code = "payment_error"


class PaymentMissing(PaymentError, Refused):
    """There is no such payment, or nothing of it was ever asked of the provider. Anybody may send messages about it."""

    code = "payment_not_found"


class PaymentNotFound(PaymentError):
    """The customer has no such payment. Also for somebody else's: whether that exists is nobody's business."""

    code = "payment_not_found"


class ProviderNotConfigured(PaymentError):
    """YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are not set."""

    code = "payments_not_configured"


class ProviderMismatch(PaymentError, PermanentError):
    """The provider's object is not the one that we asked for: another amount, currency, payment or shop."""

    code = "payment_mismatch"


class NotTheirs(ProviderMismatch, Refused):
    """A row carries the id of a payment that is not its own, or unknown there: anybody may write such a row."""


class UnclearClaim(ProviderMismatch):
    """Money that was paid to the system before us, and rows that claim it: nothing proves which of them it is for."""


class AskedLately(PaymentError, NotYet):
    """YooKassa was asked about this payment a moment ago; `seconds` from now it may be asked again."""

    code = "asked_lately"


class OrderFault(StrEnum):
    """What is wrong with an order. Up to the colon it is the code, which several faults of one kind share."""

    NOT_AN_OBJECT = "invalid_metadata: not an object"
    TOO_DEEP = "invalid_metadata: nested too deeply"
    NUMBER_OUT_OF_RANGE = "invalid_metadata: a number out of range"
    NO_UUID = "invalid_metadata: no UUID"
    NO_TIME_WITH_ZONE = "invalid_metadata: no time with a zone"
    TOO_LARGE = "metadata_too_large"
    UNKNOWN_TYPE = "unknown_order_type"
    AMBIGUOUS = "ambiguous_order"
    PACKAGE_MISSING = "package_missing"
    APPOINTMENT_TYPE_MISSING = "appointment_type_missing"
    START_MISSING = "scheduled_at_missing"
    UNKNOWN_PACKAGE = "unknown_package"
    UNKNOWN_APPOINTMENT_TYPE = "unknown_appointment_type"
    OTHER_APPOINTMENT_TYPE = "appointment_type_mismatch"
    OTHER_PRICE = "amount_mismatch"
    IN_THE_PAST = "scheduled_in_the_past"
    RECEIPT_CONTACT_MISSING = "receipt_contact_missing"

    @property
    def code(self) -> str:
        return self.partition(":")[0]


class OrderRefused(PaymentError):
    """The request contradicts the catalogue or the rules; `field` is the member of the request to look at."""

    code = "order_refused"

    def __init__(self, fault: OrderFault, field: str, **values: object) -> None:
        self.fault, self.field, self.code = fault, field, fault.code
        super().__init__("", **values)


class InvalidOrder(OrderRefused):
    """The metadata is no order."""

    def __init__(self, fault: OrderFault, **values: object) -> None:
        super().__init__(fault, "metadata", **values)


class AppointmentNotFound(PaymentError):
    code = "appointment_not_found"


class ProfileNotFound(PaymentError):
    code = "profile_not_found"


class UnknownCustomer(PaymentError):
    """The token is valid, and Supabase's table of users has no row for it."""

    code = "unknown_customer"


class AlreadyPaid(PaymentError):
    code = "already_paid"


class AppointmentClosed(PaymentError):
    """The consultation is over or was cancelled."""

    code = "appointment_closed"


class SlotTaken(PaymentError):
    code = "slot_taken"


class PaymentFinished(PaymentError):
    """The provider has nothing to pay any more under this order: it was paid or cancelled a moment ago."""

    code = "payment_finished"


class PaymentNotStored(PaymentError):
    """A rule of Supabase's database refuses the row of a new payment; nothing was asked of the provider."""

    code = "payment_not_stored"


class InvalidIdempotencyKey(PaymentError):
    code = "invalid_idempotency_key"


class IdempotencyKeyReused(PaymentError):
    """This key came with another request before."""

    code = "idempotency_key_reused"


class RequestInFlight(PaymentError):
    """A request with this key is still at work."""

    code = "request_in_flight"


class RefundRefused(PaymentError):
    """This refund cannot be made; the kind says why."""

    code = "refund_refused"


class RefundOfAnother(RefundRefused):
    """The request was made already, for another payment or amount."""


class NotPaid(RefundRefused):
    """Only what the provider reports as paid can go back."""


class NothingToRefund(RefundRefused):
    """Everything went back or is on its way."""


class NoAmount(RefundRefused):
    """Less than a kopeck, or a part of one."""


class MoreThanRemains(RefundRefused):
    """`remaining` of the payment can still go back, in `currency`, and not `wanted`."""


class ReceiptImpossible(RefundRefused):
    """It would go out without the fiscal receipt that it needs, as nobody is known to send that to."""
