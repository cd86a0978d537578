"""Errors of this package. Permanent ones are the bridge's `PermanentError` and its kinds, and `DuplicateMessage`."""

from bridge.errors import CodedError


class NotificationsError(CodedError):
    """Base of what this package raises itself."""

    code = "notifications_error"


class DeliveryDeferred(NotificationsError):
    """The mail was not accepted now and may be later: the attempt is repeated. The text says who refused and why."""


class OurFault(DeliveryDeferred):
    """The mail was refused for a reason that is ours: settings, rights, host, quota. The text says what to mend.

    Its name stands on the message, so that `requeue --error OurFault` finds what such a mistake ended.
    """


class CustomersHidden(NotificationsError):
    """Row security hides rows that tell who our customers are, so that nobody can be called a stranger. Repeated."""


class NotResendable(NotificationsError):
    """This mail cannot be sent again: it did not fail, or was sent again before."""
