"""The queues as staff see them: how they stand, and a page of what failed in each."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from bridge.admin.failed import failed_page
from bridge.admin.pausing import described, pause_page, resume_page
from bridge.holds import PAUSE
from bridge.models import QueueOverview
from bridge.status import HOURS, read_status
from staff.formats import age
from staff.pages import staff_page, staff_urls
from staff.read_only import ReadOnlyAdmin


@admin.register(QueueOverview)
class QueueOverviewAdmin(ReadOnlyAdmin):
    """A page about all queues, and one of failed messages for each."""

    styles = ("bridge/queue_admin.css",)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.requeue_message")

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("bridge.pause_queue")

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
            "paused": {hold.queue: described(hold) for hold in status.holds if hold.cause == PAUSE},
            "may_pause": self.has_pause_permission(request),
        }
        return self.page(request, "admin/bridge/queues.html", _("Queues"), **context)

    @staff_page("<str:queue>/pause/", may="pause", methods=("GET", "POST"))
    def pause_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return pause_page(self, request, queue)

    @staff_page("<str:queue>/resume/", may="pause", methods=("POST",))
    def resume_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return resume_page(self, request, queue)

    @staff_page("<str:queue>/failed/", methods=("GET", "POST"))
    def failed_view(self, request: HttpRequest, queue: str) -> HttpResponse:
        return failed_page(self, request, queue, may_requeue=self.has_requeue_permission(request))
