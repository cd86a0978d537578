"""Errors of this package. Permanent ones are the bridge's `PermanentError` and its kinds, and `DuplicateMessage`."""

from bridge.errors import CodedError


class NotificationsError(CodedError):
    """Base of what this package raises itself."""

    code = "notifications_error"


class DeliveryDeferred(NotificationsError):
    """The mail was not accepted now and may be later: the attempt is repeated. The text says who refused and why."""

    code = "delivery_deferred"


class OurFault(DeliveryDeferred):
    """The mail was refused for a reason that is ours: settings, rights, host, quota. The text says what to mend.

    Its name stands on the message, so that `requeue --error OurFault` finds what such a mistake ended. `is_quota`:
    there were too many mails, and waiting helps as well.
    """

    code = "our_fault"

    def __init__(self, text: str = "", *, is_quota: bool = False) -> None:
        super().__init__(text)
        self.is_quota = is_quota


class CustomersHidden(NotificationsError):
    """Row security hides rows that tell who our customers are, so that nobody can be called a stranger. Repeated."""

    code = "customers_hidden"


class NotResendable(NotificationsError):
    """This mail cannot be sent again; the kind says why."""

    code = "not_resendable"


class DidNotFail(NotResendable):
    """It was sent, or is on its way."""


class MessageForgotten(NotResendable):
    """Its queue was dropped since, and its message with it."""


class SentAgainBefore(NotResendable):
    """Message `number` was put back already, or is not in the archive any more."""
