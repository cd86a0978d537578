"""Whose payment it is, as all pages say it."""

from django.utils.safestring import SafeString

from payments.models import Payment
from wording.addresses import breakable_address


def customer_name(payment: Payment) -> str:
    """The address; the id where there is none."""
    return payment.user.email or str(payment.user_id)


def shown_customer(payment: Payment) -> SafeString:
    """The same for a page, where a long one may break."""
    return breakable_address(customer_name(payment))
