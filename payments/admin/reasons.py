"""Why a notification was not acted on, in the language of staff: the journal keeps it in English."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from payments.webhook.journal import ALREADY_KNOWN, NOT_OURS, OTHER_OBJECT
from payments.webhook.store import STRANGER

_REASONS: dict[str, str | Promise] = {
    ALREADY_KNOWN: gettext_lazy("this was known already"),
    STRANGER: gettext_lazy("the sender's address is not one of YooKassa's"),
    NOT_OURS: gettext_lazy("it names no payment that was started here"),
    OTHER_OBJECT: gettext_lazy("it is about neither a payment nor a refund"),
}


def reason_text(why: str) -> str:
    """In words; anything else, such as an error of a check, as it was written down."""
    return str(_REASONS.get(why, why))
