"""What the HTTP API answers when a payment cannot be started, found or refunded. For front-end developers."""

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError


class OrderRefused(ValidationError):
    """The request contradicts the catalogue or the rules; `field` is the member to look at."""

    def __init__(self, field: str, code: str, text: str) -> None:
        super().__init__({field: [text]}, code=code)
        # What the error handler takes the code of the whole answer from.
        self.default_code = code


class PaymentNotFound(NotFound):
    """Also for somebody else's payment: whether it exists is nobody's business."""

    default_code = "payment_not_found"
    default_detail = "Payment not found"


class AppointmentNotFound(NotFound):
    default_code = "appointment_not_found"
    default_detail = "Appointment not found"


class ProfileNotFound(NotFound):
    default_code = "profile_not_found"
    default_detail = "Profile not found"


class UnknownCustomer(PermissionDenied):
    """The token is valid, and Supabase's table of users has no row for it."""

    default_code = "unknown_customer"
    default_detail = "This user has no customer account"


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


class AlreadyPaid(Conflict):
    default_code = "already_paid"
    default_detail = "This consultation is already paid"


class AppointmentClosed(Conflict):
    default_code = "appointment_closed"
    default_detail = "This consultation is over or was cancelled"


class SlotTaken(Conflict):
    default_code = "slot_taken"
    default_detail = "This time is already taken"


class PaymentFinished(Conflict):
    """The provider has nothing to pay any more under this order: it was paid or cancelled a moment ago."""

    default_code = "payment_finished"
    default_detail = "This payment is finished; verify it to see how, and send a new Idempotency-Key to pay once more"


class PaymentMismatch(Conflict):
    """What the provider has is not what we asked for: staff see it, and no token is given out."""

    default_code = "payment_mismatch"
    default_detail = "This payment needs a look by support"


class RefundNotPossible(Conflict):
    default_code = "refund_refused"
    default_detail = "This refund cannot be made"


class ProviderRejected(APIException):
    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "provider_rejected"
    default_detail = "The payment provider refused the request"


class ProviderUnavailable(APIException):
    """The same request may work in `retry_after` seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "provider_unavailable"
    default_detail = "The payment provider does not answer, try again later"

    def __init__(self, *, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = 5.0 if retry_after is None else retry_after


class PaymentNotStored(APIException):
    """A rule of Supabase's database refuses the row of a new payment; nothing was asked of the provider."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "payment_not_stored"
    default_detail = "The payment could not be stored, try again later"
    retry_after = 30


class PaymentsNotConfigured(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "payments_not_configured"
    default_detail = "Payments are not set up"
    retry_after = 60


class InvalidIdempotencyKey(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_idempotency_key"
    default_detail = "Idempotency-Key must have 1 to 255 visible ASCII characters"


class IdempotencyKeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key came with another request before"


class RequestInFlight(Conflict):
    default_code = "request_in_flight"
    default_detail = "A request with this Idempotency-Key is still at work"
    retry_after = 2
    # Asking again for what is at work starts no payment, so it does not use up that budget.
    counted_as = "default"
