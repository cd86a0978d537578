"""What staff read when something about a payment did not work: the words for each error that a page may meet."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from bridge.rights import RowsHidden
from payments.errors import (
    AskedLately,
    PaymentError,
    PaymentMissing,
    ProviderMismatch,
    ProviderNotConfigured,
    ReceiptImpossible,
    RefundRefused,
)
from payments.webhook.journal import NotReplayable, UnknownPayment
from payments.webhook.notice import InvalidNotice
from payments.yookassa.errors import Rejected, Unavailable, YooKassaError

# What asking YooKassa about a payment may raise.
ASKING = (PaymentError, RowsHidden, YooKassaError)

# One or two sentences: what is wrong, and what to do. They may name the values of their error, and its code.
TEXTS: dict[type[Exception], str | Promise] = {
    Unavailable: gettext_lazy("YooKassa does not answer right now. Try again in a few minutes; nothing was changed."),
    Rejected: gettext_lazy("YooKassa refused the request (%(code)s). Show this to the developers."),
    PaymentMissing: gettext_lazy("This payment was never started at YooKassa: there is nothing to ask about."),
    ProviderMismatch: gettext_lazy(
        "YooKassa does not know this payment, or knows another one by its id. Was the shop changed?"
    ),
    AskedLately: gettext_lazy("YooKassa was asked about this payment a moment ago. Try again in a few seconds."),
    ProviderNotConfigured: gettext_lazy("YooKassa is not set up: YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are missing."),
    ReceiptImpossible: gettext_lazy("A part is refunded with a fiscal receipt, and nobody is known to send it to."),
    RefundRefused: gettext_lazy("At most %(amount)s can be refunded now."),
    NotReplayable: gettext_lazy("The check of this notification is queued already."),
    UnknownPayment: gettext_lazy("No payment of ours belongs to this notification, so there is nothing to check."),
    InvalidNotice: gettext_lazy("This notification cannot be read."),
    RowsHidden: gettext_lazy(
        "The database hides a part of its rows from the service, so nothing was changed. The page of the queues says "
        "what mends that."
    ),
}
_KEY_REFUSED = gettext_lazy("YooKassa does not accept our shop's key. Check YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY.")
_OTHER = gettext_lazy("That did not work (%(code)s). Show this to the developers.")


def explain(error: PaymentError | RowsHidden | YooKassaError, **shown: str) -> str:
    """The words for an error; `shown` are values that the page adds to the error's own."""
    if isinstance(error, Rejected) and error.http_status in (401, 403):
        return str(_KEY_REFUSED)
    text = next((TEXTS[kind] for kind in type(error).__mro__ if kind in TEXTS), _OTHER)
    return str(text) % {"code": getattr(error, "code", ""), **getattr(error, "values", {}), **shown}
