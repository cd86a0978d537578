"""Sends a failed mail again, for staff."""

from django.utils.translation import gettext as _

from bridge.errors import BridgeError
from bridge.requeue import requeue_message
from notifications.errors import NotResendable
from notifications.models import EmailMessage, Status


def send_again(row: EmailMessage) -> int:
    """Put the message of a failed mail back into its queue; returns the id of the new message.

    The new message has a row of its own as soon as a worker takes it. Raises `NotResendable` with a text for staff.
    Two people who press the button at once send one mail: the message's archive row is locked meanwhile.
    """
    if row.status != Status.FAILED:
        raise NotResendable(_("Only an email that failed can be sent again."))
    if row.msg_id is None:
        raise NotResendable(_("The message of this email does not exist any more, so it cannot be sent again."))
    try:
        return requeue_message(queue=row.queue, msg_id=row.msg_id)
    except BridgeError as error:
        text = _("Message № %(number)s was sent again before, or is not in the archive any more.")
        raise NotResendable(text % {"number": row.msg_id}) from error
