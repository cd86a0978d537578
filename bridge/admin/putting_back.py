"""Puts failed messages back for staff: the marked ones, or all that match. What makes no sense is asked first."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.errors import BridgeError
from bridge.message import Reason
from bridge.pgmq import FailedMessage, QueueMissing, pgmq_queue
from bridge.requeue import (
    DidNotFail,
    NoSuchMessage,
    RequeuedBefore,
    StillQueued,
    requeue_failed,
    requeue_message,
)
from staff.read_only import ReadOnlyAdmin
from wording.typed import read_whole

# How many go back at once: whoever pressed the button waits for it, and the workers have to do them.
BULK = 500
# A repeat ends in the same way, unless somebody has mended something in between.
HOPELESS = (Reason.PERMANENT_ERROR, Reason.INVALID_MESSAGE, Reason.REFUSED)
EVERYTHING, OTHERS = "everything", "others"

# Why a message was not put back, and nothing happened to it.
NOT_PUT_BACK: dict[type[BridgeError], str | Promise] = {
    StillQueued: gettext_lazy("Message № %(msg_id)s is still in the queue: only what failed for good is put back."),
    NoSuchMessage: gettext_lazy("There is no message № %(msg_id)s in the archive any more."),
    RequeuedBefore: gettext_lazy("Message № %(msg_id)s was put back before, as № %(requeued_as)s."),
    DidNotFail: gettext_lazy("Message № %(msg_id)s did not fail, so it is not put back."),
    QueueMissing: gettext_lazy("The queue %(name)s does not exist in the database."),
}
_OTHER = gettext_lazy("That did not work (%(code)s). Show this to the developers.")
# What a list of refusals is cut to.
MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be put back: these ids, or with `until` all that failed by then, of one `reason` if it is not empty.

    `answer` is what was said to the question whether that is meant: nothing yet, everything, or the others alone.
    """

    queue: str
    ids: tuple[int, ...]
    reason: str
    until: datetime | None
    answer: str
    count: int
    hopeless: int

    @property
    def is_question(self) -> bool:
        return not self.answer and (self.until is not None or self.hopeless > 0)

    def page(self, model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
        context = {
            "asked": self,
            "until": self.until.isoformat() if self.until else "",
            "rest": self.count - self.hopeless,
            "back": request.get_full_path(),
            "everything": EVERYTHING,
            "others": OTHERS,
        }
        return model_admin.page(request, "admin/bridge/put_back.html", _("Put back?"), **context)


def ask(request: HttpRequest, queue: str, reason: str) -> Asked:
    """Read what was asked for. Raises `QueueMissing`."""
    answer = request.POST.get("answer", "")
    answer = answer if answer in (EVERYTHING, OTHERS) else ""
    pgmq = pgmq_queue(queue)
    if request.POST.get("which") != "all":
        typed = map(read_whole, request.POST.getlist("msg_id"))
        ids = tuple(number for number in typed if number is not None)
        reasons = [failed.reason for failed in pgmq.failed(ids=list(ids), limit=len(ids))] if ids else []
        return Asked(queue, ids, reason, None, answer, len(ids), _hopeless(reasons))
    until = _moment(request.POST.get("until", "")) or pgmq.now()
    only = Reason(reason) if reason else None
    reasons = [failed.reason for failed in pgmq.failed(limit=BULK, reason=only, until=until)]
    return Asked(queue, (), reason, until, answer, len(reasons), _hopeless(reasons))


def put_back(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Do it, say how it went, and lead back to the list."""
    if not asked.ids and asked.until is None:
        messages.warning(request, _("Nothing was put back: mark the messages first."))
        return HttpResponseRedirect(request.get_full_path())
    done = _put_all_back(asked) if asked.until is not None else _put_these_back(request, asked)
    text = ngettext("%(count)s message was put back.", "%(count)s messages were put back.", done) % {"count": done}
    messages.add_message(request, messages.SUCCESS if done else messages.INFO, text)
    return HttpResponseRedirect(request.get_full_path())


def _put_all_back(asked: Asked) -> int:
    def is_wanted(failed: FailedMessage) -> bool:
        # What failed while the question was on the screen was not asked about.
        return asked.until is not None and failed.archived_at <= asked.until and _is_wanted(failed.reason, asked)

    reason = Reason(asked.reason) if asked.reason else None
    return requeue_failed(queue=asked.queue, reason=reason, wanted=is_wanted, most=BULK)


def _put_these_back(request: HttpRequest, asked: Asked) -> int:
    done, refusals = 0, []
    ids = asked.ids
    if asked.answer == OTHERS:
        failed = pgmq_queue(asked.queue).failed(ids=list(ids), limit=len(ids))
        ids = tuple(one.msg_id for one in failed if _is_wanted(one.reason, asked))
    for msg_id in ids:
        try:
            requeue_message(queue=asked.queue, msg_id=msg_id)
        except BridgeError as error:
            refusals.append(why_not_put_back(error, asked.queue))
        else:
            done += 1
    for text in refusals[:MOST_TOLD]:
        messages.warning(request, text)
    if (more := len(refusals) - MOST_TOLD) > 0:
        messages.warning(request, _("And %(count)s more.") % {"count": more})
    return done


def why_not_put_back(error: BridgeError, queue: str) -> str:
    text = next((NOT_PUT_BACK[kind] for kind in type(error).__mro__ if kind in NOT_PUT_BACK), _OTHER)
    return str(text) % {"code": error.code, "name": queue, **error.values}


def _is_wanted(reason: str, asked: Asked) -> bool:
    return asked.answer != OTHERS or reason not in HOPELESS


def _hopeless(reasons: list[str]) -> int:
    return sum(reason in HOPELESS for reason in reasons)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
