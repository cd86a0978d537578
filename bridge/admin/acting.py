"""Asks before an act on messages of a queue, and has it done: on those that were marked, or on all that match.

What is asked for stands in the address, so that somebody who has to give a code first is led back to the question. All
that match are confirmed by typing their number: one click too many must not put ten thousand messages back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.admin.acts import tell_refusals
from bridge.admin.addresses import message_address, queue_address
from bridge.admin.asked import Asked, read_moment
from bridge.admin.failures_tab import FAILURES, wanted_of
from bridge.admin.skips import skips
from bridge.message import MessageState
from bridge.operations.actor import staff_actor
from bridge.operations.codes import Acted, Action
from bridge.operations.discard import discard, discard_matching
from bridge.operations.failures import count
from bridge.operations.handed_over import hand_over
from bridge.operations.requeue import requeue, requeue_matching
from bridge.operations.retry import retry_now, retry_waiting, waiting_ids
from bridge.pgmq import pgmq_queue
from bridge.sql.wanted import HOPELESS, Wanted
from staff.fields import IdField
from staff.read_only import ReadOnlyAdmin
from wording.typed import read_whole

# Of a page of marks.
MOST_MARKED = 500
# So many are done while whoever pressed the button waits; workers do more than that.
AT_ONCE = 500

_TITLES: dict[Action, str | Promise] = {
    Action.REQUEUE: gettext_lazy("Put back?"),
    Action.RETRY: gettext_lazy("Repeat at once?"),
    Action.DISCARD: gettext_lazy("Discard?"),
}
_BUTTONS: dict[Action, str | Promise] = {
    Action.REQUEUE: gettext_lazy("Put back"),
    Action.RETRY: gettext_lazy("Repeat at once"),
    Action.DISCARD: gettext_lazy("Discard"),
}
Chosen = Callable[..., Acted]
_CHOSEN: dict[Action, Chosen] = {Action.REQUEUE: requeue, Action.RETRY: retry_now, Action.DISCARD: discard}
_MATCHING: dict[Action, Chosen] = {
    Action.REQUEUE: requeue_matching,
    Action.RETRY: retry_waiting,
    Action.DISCARD: discard_matching,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: to these ids, or with `wanted` to all that match and were so by then.

    A repeat would not help `hopeless` of them, unless something was mended in between.
    """

    action: Action
    queue: str
    ids: tuple[int, ...]
    wanted: Wanted | None
    number: int
    hopeless: int = 0

    @property
    def is_about_all(self) -> bool:
        return self.wanted is not None


class Confirmation(forms.Form):
    """Why, how fast, and for all that match how many: typed in, since a click says little."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    until = forms.CharField(widget=forms.HiddenInput, required=False)
    only_hopeful = forms.BooleanField(label=gettext_lazy("Leave those alone"), required=False)
    number = IdField(
        label=gettext_lazy("How many"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "size": 8, "autocomplete": "off"}),
    )
    rate = forms.FloatField(
        label=gettext_lazy("No more than so many a second"),
        required=False,
        min_value=0.01,
        max_value=10_000,
        localize=True,
        help_text=gettext_lazy("Empty: all at once."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 8}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("It stands beside your name in the list of actions. Please name no clients."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, task: Task, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task = task
        self.fields["number"].help_text = _("Type %(number)s to confirm.") % {"number": localize(task.number)}
        if not task.is_about_all or task.number <= 1:
            del self.fields["number"]
        if task.action != Action.REQUEUE or task.number <= 1:
            del self.fields["rate"]
        if not task.hopeless or task.hopeless == task.number:
            del self.fields["only_hopeful"]

    def clean(self) -> dict[str, Any]:
        """The number is that of what is done: without those that are left alone."""
        cleaned = super().clean() or {}
        typed, left = cleaned.get("number"), self._task.hopeless if cleaned.get("only_hopeful") else 0
        if typed is not None and typed not in {self._task.number, self._task.number - left}:
            text = _("That is not the number of these messages: it is %(number)s by now. Nothing was done.")
            self.add_error("number", text % {"number": self._task.number})
        return cleaned


def act_page(model_admin: ReadOnlyAdmin, request: HttpRequest, queue: str) -> HttpResponse:
    """Raises `QueueMissing`."""
    pgmq_queue(queue).look()
    task, back = _task(request, queue), _back(request, queue)
    if task is None:
        messages.warning(request, _("Nothing was done: mark the messages first."))
        return HttpResponseRedirect(back)
    initial = {"key": uuid4(), "until": _typed(task), "only_hopeful": True}
    form = Confirmation(task, request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        _tell(request, task, _do(request, task, form.cleaned_data))
        return HttpResponseRedirect(back)
    context = {
        "form": form,
        "queue": queue,
        "sentence": _sentence(task),
        "hopeless": _hopeless(task),
        "back": back,
        "confirm": _BUTTONS[task.action],
    }
    return model_admin.page(request, "admin/bridge/act.html", str(_TITLES[task.action]), **context)


def _task(request: HttpRequest, queue: str) -> Task | None:
    """What the address asks for; `None` where that is nothing."""
    what = request.GET.get("what", "")
    if what not in set(_TITLES):
        return None
    action = Action(what)
    if request.GET.get("which") == "all":
        return _matching(request, action, queue)
    typed = map(read_whole, request.GET.getlist("msg_id")[:MOST_MARKED])
    ids = tuple(dict.fromkeys(number for number in typed if number is not None))
    if not ids:
        return None
    hopeless = 0
    if action == Action.REQUEUE:
        failed = pgmq_queue(queue).failed(ids=list(ids), limit=len(ids))
        hopeless = sum(one.reason in HOPELESS for one in failed)
    return Task(action, queue, ids, None, len(ids), hopeless)


def _matching(request: HttpRequest, action: Action, queue: str) -> Task | None:
    asked = Asked.of(request.GET, (FAILURES,))
    if action == Action.RETRY:
        # Whoever waits for a repeat is found by what it failed with, and has no time of failure.
        wanted = Wanted(error_type=asked.error_type, trace_id=asked.trace_id)
        number = sum(1 for _one in waiting_ids(queue, wanted))
        return Task(action, queue, (), wanted, number) if number else None
    # What fails while the question is on the screen was not asked about.
    until = _until(request) or asked.until or pgmq_queue(queue).now()
    wanted = replace(wanted_of(asked), until=until)
    number = count(queue, wanted)
    hopeless = 0
    if action == Action.REQUEUE:
        hopeless = number - count(queue, replace(wanted, only_hopeful=True))
    return Task(action, queue, (), wanted, number, hopeless) if number else None


def _typed(task: Task) -> str:
    return task.wanted.until.isoformat() if task.wanted is not None and task.wanted.until is not None else ""


def _until(request: HttpRequest) -> datetime | None:
    return read_moment(request.POST.get("until", ""))


def _do(request: HttpRequest, task: Task, said: dict[str, Any]) -> Acted:
    how: dict[str, Any] = {"actor": staff_actor(request.user), "reason": said["reason"], "key": said["key"]}
    if said.get("rate"):
        how["rate"] = said["rate"]
    only_hopeful = bool(said.get("only_hopeful"))
    if task.wanted is None:
        ids = task.ids
        if only_hopeful:
            failed = pgmq_queue(task.queue).failed(ids=list(ids), limit=len(ids))
            hopeless = {one.msg_id for one in failed if one.reason in HOPELESS}
            ids = tuple(msg_id for msg_id in ids if msg_id not in hopeless)
        if task.action == Action.REQUEUE and len(ids) == 1:
            # Of one that was discarded its own page offers this.
            how["even_discarded"] = True
        return _CHOSEN[task.action](task.queue, ids, **how)
    wanted = replace(task.wanted, only_hopeful=only_hopeful) if task.action == Action.REQUEUE else task.wanted
    if task.number > AT_ONCE and wanted.is_kept_whole:
        return hand_over(task.action, task.queue, wanted, **how)
    return _MATCHING[task.action](task.queue, wanted, **how)


def _tell(request: HttpRequest, task: Task, done: Acted) -> None:
    if done.is_repeated:
        messages.info(request, _("This was asked for before, and done once."))
    if not done.is_over:
        text = _(
            "Workers do it now, which takes a while: the list grows shorter as they do, and “Actions” says how far."
        )
        messages.info(request, text)
        return
    if done.refusals and not task.is_about_all:
        tell_refusals(request, done.refusals)
    elif done.skipped:
        messages.warning(request, _("Left alone: %(skips)s.") % {"skips": "; ".join(skips(done.skipped))})
    messages.add_message(request, messages.SUCCESS if done.changed else messages.INFO, _done(task.action, done.changed))


def _done(action: Action, number: int) -> str:
    match action:
        case Action.RETRY:
            text = ngettext("%(count)s message is due at once.", "%(count)s messages are due at once.", number)
        case Action.DISCARD:
            text = ngettext("%(count)s message was discarded.", "%(count)s messages were discarded.", number)
        case _:
            text = ngettext("%(count)s message was put back.", "%(count)s messages were put back.", number)
    return text % {"count": number}


def _sentence(task: Task) -> str:
    values = {"number": task.number, "queue": task.queue}
    match task.action:
        case Action.RETRY:
            text = ngettext(
                "%(number)s message of %(queue)s does not wait for its repeat: it is due at once.",
                "%(number)s messages of %(queue)s do not wait for their repeat: they are due at once.",
                task.number,
            )
        case Action.DISCARD:
            text = ngettext(
                "%(number)s message of %(queue)s is dealt with: if it waits, it never runs; if it failed, it leaves "
                "the list. It stays in the archive, and nothing that was done is undone.",
                "%(number)s messages of %(queue)s are dealt with: those that wait never run, those that failed leave "
                "the list. They stay in the archive, and nothing that was done is undone.",
                task.number,
            )
        case _:
            text = ngettext(
                "%(number)s message goes back into %(queue)s: it gets all its attempts anew.",
                "%(number)s messages go back into %(queue)s: they get all their attempts anew.",
                task.number,
            )
    return text % values


def _hopeless(task: Task) -> str:
    if not task.hopeless:
        return ""
    text = ngettext(
        "For %(number)s of them a repeat would not help, unless what was wrong is mended by now: it would fail in the "
        "same way.",
        "For %(number)s of them a repeat would not help, unless what was wrong is mended by now: they would fail in "
        "the same way.",
        task.hopeless,
    )
    return text % {"number": task.hopeless}


def _back(request: HttpRequest, queue: str) -> str:
    """Where one came from: the page of the one message, or the list that was looked at."""
    ids = request.GET.getlist("msg_id")
    number = read_whole(ids[0]) if len(ids) == 1 and request.GET.get("from") == "message" else None
    if number is not None:
        return message_address(queue, number)
    asked = Asked.of(request.GET, (FAILURES, *MessageState))
    if "tab" not in request.GET:
        asked = replace(asked, tab=MessageState.RETRYING if request.GET.get("what") == Action.RETRY else FAILURES)
    return queue_address(queue, **asked.as_query())
