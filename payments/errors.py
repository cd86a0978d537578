"""What can go wrong with a payment, apart from what the provider says (`payments.yookassa.errors`)."""

from bridge.errors import PermanentError


class PaymentError(Exception):
    """Base of everything this package raises itself."""


class PaymentMissing(PaymentError, PermanentError):
    """There is no such payment, or nothing of it was ever asked of the provider."""


class ProviderMismatch(PaymentError, PermanentError):
    """The provider's object is not the one that we asked for: another amount, currency, payment or shop."""


class UnclearClaim(ProviderMismatch):
    """Money that was paid to the system before us, and rows that claim it: nothing proves which of them it is for."""


class RefundRefused(PaymentError):
    """This refund cannot be made; the text says why and what could be."""


class ReceiptImpossible(RefundRefused):
    """It would go out without the fiscal receipt that it needs, as nobody is known to send that to."""
