"""Puts failed messages back for staff: the marked ones, or all that match. What makes no sense is asked first."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bridge.admin.acts import form_key, key_of, tell_refusals
from bridge.operations.actor import staff_actor
from bridge.operations.codes import Acted, Action
from bridge.operations.failures import count
from bridge.operations.handed_over import hand_over
from bridge.operations.requeue import requeue, requeue_matching
from bridge.pgmq import pgmq_queue
from bridge.sql.wanted import HOPELESS, Wanted
from staff.read_only import ReadOnlyAdmin
from wording.typed import read_whole

# Whoever pressed the button waits for so many; more of them workers put back.
AT_ONCE = 500
EVERYTHING, OTHERS = "everything", "others"


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

    @property
    def wanted(self) -> Wanted:
        """All that failed while the question stood on the screen was not asked about."""
        return Wanted(reason=self.reason or None, until=self.until, only_hopeful=self.answer == OTHERS)

    def page(self, model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
        context = {
            "asked": self,
            "until": self.until.isoformat() if self.until else "",
            "rest": self.count - self.hopeless,
            "back": request.get_full_path(),
            "everything": EVERYTHING,
            "others": OTHERS,
            "key": form_key(),
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
        return Asked(queue, ids, reason, None, answer, len(ids), sum(why in HOPELESS for why in reasons))
    until = _moment(request.POST.get("until", "")) or pgmq.now()
    wanted = Wanted(reason=reason or None, until=until)
    total = count(queue, wanted)
    return Asked(queue, (), reason, until, answer, total, total - count(queue, replace(wanted, only_hopeful=True)))


def put_back(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Do it, say how it went, and lead back to the list."""
    if not asked.ids and asked.until is None:
        messages.warning(request, _("Nothing was put back: mark the messages first."))
    elif asked.until is not None:
        _tell(request, _put_all_back(request, asked))
    else:
        done = _put_these_back(request, asked)
        tell_refusals(request, done.refusals)
        _tell(request, done)
    return HttpResponseRedirect(request.get_full_path())


def _tell(request: HttpRequest, done: Acted) -> None:
    if not done.is_over:
        text = _("Workers put these messages back now, which takes a while: the list grows shorter as they do.")
        messages.info(request, text)
        return
    count = done.changed
    text = ngettext("%(count)s message was put back.", "%(count)s messages were put back.", count) % {"count": count}
    messages.add_message(request, messages.SUCCESS if count else messages.INFO, text)


def _put_all_back(request: HttpRequest, asked: Asked) -> Acted:
    actor, key = staff_actor(request.user), key_of(request)
    if asked.count > AT_ONCE:
        return hand_over(Action.REQUEUE, asked.queue, asked.wanted, actor=actor, key=key)
    return requeue_matching(asked.queue, asked.wanted, actor=actor, key=key, most=AT_ONCE)


def _put_these_back(request: HttpRequest, asked: Asked) -> Acted:
    ids = asked.ids
    if asked.answer == OTHERS:
        failed = pgmq_queue(asked.queue).failed(ids=list(ids), limit=len(ids))
        ids = tuple(one.msg_id for one in failed if one.reason not in HOPELESS)
    return requeue(asked.queue, ids, actor=staff_actor(request.user), key=key_of(request))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
