"""The queues as staff see them: how they stand, a page about each of them, and one about each of their messages."""

from collections.abc import Callable
from functools import partial

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bridge.admin.acting import act_page
from bridge.admin.addresses import queue_address
from bridge.admin.failures_tab import FAILURES
from bridge.admin.message_page import message_page
from bridge.admin.pausing import described, pause_page, resume_page
from bridge.admin.queue_page import queue_page
from bridge.breaker import ServiceState
from bridge.breaker.advice import kind_name
from bridge.holds import PAUSE
from bridge.models import QueueOverview
from bridge.pgmq import QueueMissing
from bridge.rights import RowsHidden, queue_tables, require_sight
from bridge.status import HOURS, read_status
from staff.formats import age, in_code, moment, whole
from staff.pages import staff_page, staff_urls, to_list
from staff.read_only import ReadOnlyAdmin
from staff.second_factor import confirmed_act


@admin.register(QueueOverview)
class QueueOverviewAdmin(ReadOnlyAdmin):
    """A page about all queues, one for each, and one for each of their messages."""

    styles = ("bridge/queue_admin.css",)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.requeue_message")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.pause_queue")

    def has_body_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.view_message_body")

    def get_urls(self) -> list[URLPattern]:
        # No row of a table stands behind it, so none of Django's own pages.
        return list(staff_urls(self))

    @staff_page("", name="changelist")
    def overview(self, request: HttpRequest) -> HttpResponse:
        status = read_status()
        queues = [(queue, age(queue.counts.oldest_seconds)) for queue in status.queues]
        context = {
            "status": status,
            "queues": queues,
            "hours": HOURS,
            "is_list": True,
            "away": [_told(service) for service in status.away],
            "paused": {hold.queue: described(hold) for hold in status.holds if hold.cause == PAUSE},
            "may_pause": self.has_pause_permission(request),
        }
        return self.page(request, "admin/bridge/queues.html", _("Queues"), **context)

    @staff_page("<queue:queue>/", name="queue")
    def queue_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        may_act, may_pause = self.has_requeue_permission(request), self.has_pause_permission(request)
        page = partial(queue_page, self, request, queue, may_act=may_act, may_pause=may_pause)
        return self._about(request, queue, page)

    @staff_page("<queue:queue>/<int:msg_id>/", name="message")
    def message_view(self, request: HttpRequest, queue: str, msg_id: int) -> HttpResponse:
        may_act, may_read = self.has_requeue_permission(request), self.has_body_permission(request)
        page = partial(message_page, self, request, queue, msg_id, may_act=may_act, may_read=may_read)
        return self._about(request, queue, page)

    @staff_page("<queue:queue>/act/", may="requeue", methods=("GET", "POST"))
    @confirmed_act
    def act_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return self._about(request, queue, partial(act_page, self, request, queue))

    @staff_page("<queue:queue>/pause/", may="pause", methods=("GET", "POST"))
    def pause_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return pause_page(self, request, queue)

    @staff_page("<queue:queue>/resume/", may="pause", methods=("POST",))
    def resume_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return resume_page(self, request, queue)

    @staff_page("<queue:queue>/failed/")
    def failed_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        """Where the page of failed messages was: bookmarks and letters lead here."""
        kept = {name: request.GET[name] for name in ("reason", "hours") if request.GET.get(name)}
        return HttpResponseRedirect(queue_address(queue, tab=FAILURES, **kept))

    def _about(self, request: HttpRequest, queue: str, page: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            require_sight(*queue_tables(queue))
            return page()
        except QueueMissing:
            messages.error(request, _("The queue %(name)s does not exist in the database.") % {"name": queue})
        except RowsHidden as hidden:
            text = _("The service cannot see all of the queue %(name)s, so nothing of it is shown. %(why)s")
            messages.error(request, text % {"name": queue, "why": in_code(str(hidden))})
        return to_list(self)


def _told(service: ServiceState) -> dict[str, str]:
    """What the list says of a service that is away: as the home page does, and with what to do."""
    text = ngettext(
        "%(name)s: %(kind)s since %(since)s, %(count)s message waits",
        "%(name)s: %(kind)s since %(since)s, %(count)s messages wait",
        service.waiting,
    )
    values = {"name": capfirst(service.label), "kind": kind_name(service.kind), "since": moment(service.since)}
    return {"text": text % {**values, "count": whole(service.waiting)}, "why": service.why, "advice": service.advice}
