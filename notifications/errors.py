"""Errors of this package. Permanent ones are the bridge's `PermanentError`, `InvalidMessage` and `DuplicateMessage`."""


class NotificationsError(Exception):
    """Base of what this package raises itself."""


class DeliveryDeferred(NotificationsError):
    """The mail was not accepted now and may be later: the attempt is repeated. The text says who refused and why."""


class NotResendable(NotificationsError):
    """This mail cannot be sent again: it did not fail, or was sent again before."""
