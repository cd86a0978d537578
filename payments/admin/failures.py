"""What staff read when YooKassa could not be asked, or refused."""

from django.utils.translation import gettext as _

from bridge.rights import RowsHidden
from payments.errors import PaymentError, PaymentMissing, ProviderMismatch, ProviderNotConfigured
from payments.yookassa.errors import Rejected, Unavailable, YooKassaError

# What asking YooKassa about a payment may raise.
ASKING = (PaymentError, YooKassaError)


def explain(error: PaymentError | RowsHidden | YooKassaError) -> str:
    """One or two sentences: what is wrong, and what to do."""
    match error:
        case Unavailable():
            return _("YooKassa does not answer right now. Try again in a few minutes; nothing was changed.")
        case Rejected(http_status=401 | 403):
            return _("YooKassa does not accept our shop's key. Check YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY.")
        case Rejected():
            return _("YooKassa refused the request (%(code)s). Show this to the developers.") % {"code": error.code}
        case PaymentMissing():
            return _("This payment was never started at YooKassa: there is nothing to ask about.")
        case ProviderMismatch():
            return _("YooKassa does not know this payment, or knows another one by its id. Was the shop changed?")
        case ProviderNotConfigured():
            return _("YooKassa is not set up: YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are missing.")
        case _:
            return _("That did not work: %(error)s") % {"error": error}
