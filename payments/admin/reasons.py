"""Why a notification was not acted on, in the language of staff: the journal keeps it in English."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.models import ProviderNotification
from payments.states import NotificationStatus
from payments.webhook.journal import ALREADY_KNOWN, ANOTHER_ID, NOT_OURS, OTHER_OBJECT
from payments.webhook.store import STRANGER

_REASONS: dict[str, str | Promise] = {
    ALREADY_KNOWN: gettext_lazy("this was known already"),
    STRANGER: gettext_lazy("the sender's address is not one of YooKassa's"),
    NOT_OURS: gettext_lazy("it names no payment that was started here"),
    OTHER_OBJECT: gettext_lazy("it is about neither a payment nor a refund"),
}


def reason_text(row: ProviderNotification) -> str:
    """In words, and never those of the journal; empty for what was checked or is going to be."""
    if not row.error:
        return ""
    if row.status == NotificationStatus.FAILED:
        return _("the check of the payment failed")
    if ANOTHER_ID in row.error:
        return _("it names a payment of ours that has another id at YooKassa")
    return str(_REASONS.get(row.error, gettext_lazy("something else: see the technical details")))


def technical_text(row: ProviderNotification) -> str:
    """What the journal has beyond those words; empty where they say it all."""
    return "" if row.error in _REASONS else row.error
