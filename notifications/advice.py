"""What staff can do about a mail that failed, by the reason, and why one cannot be sent again."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from bridge.reasons import FailureReason
from notifications.errors import DidNotFail, MessageForgotten, NotResendable, SentAgainBefore

ADVICE: dict[str, str | Promise] = {
    FailureReason.RETRIES_EXHAUSTED: gettext_lazy(
        "The mail server or the network failed at every attempt. Once it works again, send the email again."
    ),
    FailureReason.PERMANENT_ERROR: gettext_lazy(
        "The email was refused, and a repeat would be refused as well. Check the address with the client; "
        "if the error names a template or a variable, whoever queued the message has to mend it."
    ),
    FailureReason.INVALID_MESSAGE: gettext_lazy(
        "The message in the queue is not one that describes an email. Show the error to the developers."
    ),
    FailureReason.WORKER_LOST: gettext_lazy(
        "The worker died during every attempt. Look at logs/error.log around the time of the update, "
        "restart the worker, then send the email again."
    ),
    FailureReason.REFUSED: gettext_lazy(
        "Our own rules stopped this email: we write only to addresses of clients, not too often, and never with a "
        "stranger's link. If the client changed their address, the next emails go to the new one."
    ),
    FailureReason.DISCARDED: gettext_lazy(
        "Somebody of the staff decided that this email need not be sent. Who did it, and why, stands among the actions "
        "of operators."
    ),
    FailureReason.MESSAGE_GONE: gettext_lazy(
        "Somebody removed the message from the queue. If the client still needs the email, write to them yourself."
    ),
}

NOT_RESENDABLE: dict[type[NotResendable], str | Promise] = {
    DidNotFail: gettext_lazy("Only an email that failed can be sent again."),
    MessageForgotten: gettext_lazy("The message of this email does not exist any more, so it cannot be sent again."),
    SentAgainBefore: gettext_lazy("Message № %(number)s was sent again before, or is not in the archive any more."),
}


def why_not_resent(refusal: NotResendable) -> str:
    return str(NOT_RESENDABLE[type(refusal)]) % refusal.values
