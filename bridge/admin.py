"""The queues as staff see them: how they stand, what failed and why, and a way to put it back."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.daemon.heartbeat import THE_BROKER, THE_DATABASE
from bridge.errors import BridgeError
from bridge.message import Reason
from bridge.models import BridgeProcess, QueueOverview
from bridge.pgmq import FailedMessage, QueueMissing, pgmq_queue
from bridge.queues import registry
from bridge.reasons import FailureReason
from bridge.requeue import DidNotFail, NoSuchMessage, RequeuedBefore, StillQueued, requeue_message
from bridge.status import read_status
from staff.formats import age, block, moment
from staff.pages import staff_page, staff_urls, to_list
from staff.read_only import ReadOnlyAdmin
from wording.masking import mask_tokens

PAGE = 50
# Of each body; whoever needs all of it asks the database.
MOST_CHARACTERS = 20_000

# Why a message was not put back, and nothing happened to it.
NOT_PUT_BACK: dict[type[BridgeError], str | Promise] = {
    StillQueued: gettext_lazy("Message № %(msg_id)s is still in the queue: only what failed for good is put back."),
    NoSuchMessage: gettext_lazy("There is no message № %(msg_id)s in the archive any more."),
    RequeuedBefore: gettext_lazy("Message № %(msg_id)s was put back before, as № %(requeued_as)s."),
    DidNotFail: gettext_lazy("Message № %(msg_id)s did not fail, so it is not put back."),
    QueueMissing: gettext_lazy("The queue %(name)s does not exist in the database."),
}
# What a bridge says that it waits for.
_SERVICES: dict[str, str | Promise] = {
    THE_BROKER: gettext_lazy("the broker (REDIS_URL)"),
    THE_DATABASE: gettext_lazy("the database (DATABASE_URL)"),
}
_OTHER = gettext_lazy("That did not work (%(code)s). Show this to the developers.")


@admin.register(QueueOverview)
class QueueOverviewAdmin(ReadOnlyAdmin):
    """A page about all queues, and one of failed messages for each."""

    styles = ("bridge/queue_admin.css",)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.requeue_message")

    def get_urls(self) -> list[URLPattern]:
        # No row of a table stands behind it, so none of Django's own pages.
        return list(staff_urls(self))

    @staff_page("", name="changelist")
    def overview(self, request: HttpRequest) -> HttpResponse:
        status = read_status()
        queues = [(queue, age(queue.counts.oldest_seconds)) for queue in status.queues]
        context = {"status": status, "queues": queues, "is_list": True}
        return self.page(request, "admin/bridge/queues.html", _("Queues"), **context)

    @staff_page("<slug:queue>/failed/", methods=("GET", "POST"))
    def failed_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        may_requeue = self.has_requeue_permission(request)
        here = reverse("admin:bridge_queueoverview_failed", args=[queue])
        if request.method == "POST":
            if not may_requeue:
                raise PermissionDenied
            self._requeue(request, queue, request.POST.getlist("msg_id"))
            return HttpResponseRedirect(request.get_full_path())
        after, refused = request.GET.get("after", ""), request.GET.get("reason") == Reason.REFUSED
        try:
            page = pgmq_queue(queue).failed(
                after=int(after) if _is_id(after) else 0,
                limit=PAGE + 1,
                reason=Reason.REFUSED if refused else None,
                characters=MOST_CHARACTERS,
            )
        except QueueMissing:
            messages.error(request, _("The queue %(name)s does not exist in the database.") % {"name": queue})
            return to_list(self)
        context = {
            "queue": queue,
            "rows": [_row(failed) for failed in page[:PAGE]],
            "refused": refused,
            "next": _address(here, refused=refused, after=page[PAGE - 1].msg_id) if len(page) > PAGE else "",
            "others": _address(here, refused=not refused),
            "may_requeue": may_requeue and queue in registry,
        }
        title = _("Failed messages of %(queue)s") % {"queue": queue}
        return self.page(request, "admin/bridge/failed.html", title, **context)

    def _requeue(self, request: HttpRequest, queue: str, ids: list[str]) -> None:
        done = 0
        for msg_id in ids:
            if not _is_id(msg_id):
                continue
            try:
                requeue_message(queue=queue, msg_id=int(msg_id))
            except BridgeError as error:
                messages.warning(request, why_not_put_back(error, queue))
            else:
                done += 1
        text = ngettext("%(count)s message was put back.", "%(count)s messages were put back.", done) % {"count": done}
        messages.add_message(request, messages.SUCCESS if done else messages.INFO, text)


@admin.register(BridgeProcess)
class BridgeProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "started", "seen", "stopped", "published", "archived", "waits")
    fields = ("name", "started_at", "seen_at", "stopped_at", "published", "archived", "waits")
    ordering = ("-seen_at",)

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def started(self, process: BridgeProcess) -> str:
        return moment(process.started_at)

    @admin.display(description=gettext_lazy("last seen"), ordering="seen_at")
    def seen(self, process: BridgeProcess) -> str:
        return moment(process.seen_at)

    @admin.display(description=gettext_lazy("waits for"), ordering="waits_for")
    def waits(self, process: BridgeProcess) -> str:
        return str(_SERVICES.get(process.waits_for, process.waits_for)) or "—"

    @admin.display(description=gettext_lazy("stopped"), ordering="stopped_at")
    def stopped(self, process: BridgeProcess) -> str:
        return moment(process.stopped_at)


def why_not_put_back(error: BridgeError, queue: str) -> str:
    text = next((NOT_PUT_BACK[kind] for kind in type(error).__mro__ if kind in NOT_PUT_BACK), _OTHER)
    return str(text) % {"code": error.code, "name": queue, **error.values}


def _is_id(text: str) -> bool:
    """Whether it can be a bigint; the length keeps numbers of thousands of digits away from `int`."""
    return text.isdecimal() and len(text) <= 18


def _row(failed: FailedMessage) -> dict[str, Any]:
    reason = FailureReason(failed.reason).label if failed.reason in FailureReason.values else failed.reason
    body = _("too large to be shown") if failed.text is None else mask_tokens(failed.text)
    return {"message": failed, "archived": moment(failed.archived_at), "reason": reason, "body": block(body)}


def _address(page: str, *, refused: bool, after: int | None = None) -> str:
    wanted = {"reason": Reason.REFUSED.value if refused else None, "after": after}
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    return f"{page}?{query}" if query else page
