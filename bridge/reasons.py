"""Why a message failed for good, in words: the one list, for the queues' pages and for each package's own rows."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from bridge.message import Reason


class FailureReason(models.TextChoices):
    """What the bridge writes on a message, and one more for a row whose message vanished from its queue."""

    RETRIES_EXHAUSTED = Reason.RETRIES_EXHAUSTED.value, _("all attempts used up")
    PERMANENT_ERROR = Reason.PERMANENT_ERROR.value, _("repeating would not help")
    INVALID_MESSAGE = Reason.INVALID_MESSAGE.value, _("the message is unusable")
    WORKER_LOST = Reason.WORKER_LOST.value, _("the worker died every time")
    REFUSED = Reason.REFUSED.value, _("our rules forbid it")
    DISCARDED = Reason.DISCARDED.value, _("an operator discarded it")
    MESSAGE_GONE = "message_gone", _("the message vanished from the queue")

    @classmethod
    def of(cls, reason: Reason) -> "FailureReason":
        """Each reason of the bridge is one of these: an outcome must always be written."""
        return cls(reason.value)
