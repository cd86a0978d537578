"""What operators did and why something was left alone, in the words of staff; and what they ask for by a form."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.operations.codes import Code, Refusal

# What a list of refusals is cut to.
MOST_TOLD = 5

# Why nothing happened to a message.
NOT_DONE: dict[Code, str | Promise] = {
    Code.STILL_QUEUED: gettext_lazy(
        "Message № %(msg_id)s is still in the queue: only what failed for good is put back."
    ),
    Code.NO_SUCH_MESSAGE: gettext_lazy("There is no message № %(msg_id)s in the archive any more."),
    Code.REQUEUED_BEFORE: gettext_lazy("Message № %(msg_id)s was put back before, as № %(requeued_as)s."),
    Code.DISCARDED_BEFORE: gettext_lazy("Message № %(msg_id)s was discarded before."),
    Code.DID_NOT_FAIL: gettext_lazy("Message № %(msg_id)s did not fail, so it is not put back."),
    Code.ENDED: gettext_lazy("Message № %(msg_id)s has ended already."),
    Code.DUE_ALREADY: gettext_lazy("Message № %(msg_id)s is due already, and waits for its turn."),
    Code.IN_LINE: gettext_lazy("Message № %(msg_id)s is in line for a worker already."),
    Code.RUNNING: gettext_lazy("Message № %(msg_id)s is being worked on at this moment."),
    Code.DELAYED: gettext_lazy("Message № %(msg_id)s was sent to be done later, and waits for no repeat."),
    Code.WORK_DONE: gettext_lazy("The work of message № %(msg_id)s is done; only its outcome waits to be written."),
    Code.BUSY: gettext_lazy("Somebody else has message № %(msg_id)s in hand at this moment. Try again."),
    Code.POSTGRES_REFUSED: gettext_lazy(
        "The database refused to change message № %(msg_id)s; logs/error.log says why. Show this to the developers."
    ),
}


def why_not(refusal: Refusal) -> str:
    return str(NOT_DONE[refusal.code]) % {"msg_id": refusal.msg_id, "requeued_as": "", **refusal.values}


def tell_refusals(request: HttpRequest, refusals: Iterable[Refusal]) -> None:
    """The first few of them as warnings, and how many more there are."""
    every = list(refusals)
    for refusal in every[:MOST_TOLD]:
        messages.warning(request, why_not(refusal))
    if (more := len(every) - MOST_TOLD) > 0:
        messages.warning(request, _("And %(count)s more.") % {"count": more})


def form_key() -> str:
    """For a hidden field `key`: a form that is sent twice acts once."""
    return str(uuid4())


def key_of(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return None
