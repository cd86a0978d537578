"""Our processes, as staff see them."""

from django.contrib import admin
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext

from bridge.daemon.heartbeat import DEAD_AFTER, THE_BROKER, THE_DATABASE
from bridge.models import BridgeProcess
from staff.badges import Tone, badge
from staff.formats import moment
from staff.read_only import ReadOnlyAdmin

# What a bridge says that it waits for.
_SERVICES: dict[str, str | Promise] = {
    THE_BROKER: gettext_lazy("the broker (REDIS_URL)"),
    THE_DATABASE: gettext_lazy("the database (DATABASE_URL)"),
}


@admin.register(BridgeProcess)
class BridgeProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "state", "waits", "started", "seen", "published", "archived")
    sortable_by = ("name", "kind", "started", "seen", "published", "archived")
    fields = ("name", "kind", "state", "started_at", "seen_at", "stopped_at", "published", "archived", "waits")
    ordering = ("-seen_at",)

    @admin.display(description=gettext_lazy("state"))
    def state(self, process: BridgeProcess) -> str:
        if process.stopped_at is not None:
            return badge(pgettext("process", "stopped"))
        if process.seen_at > timezone.now() - DEAD_AFTER:
            return badge(pgettext("process", "lives"), Tone.GOOD)
        return badge(pgettext("process", "silent"), Tone.BAD)

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def started(self, process: BridgeProcess) -> str:
        return moment(process.started_at)

    @admin.display(description=gettext_lazy("last seen"), ordering="seen_at")
    def seen(self, process: BridgeProcess) -> str:
        return moment(process.seen_at)

    @admin.display(description=gettext_lazy("waits for"), ordering="waits_for")
    def waits(self, process: BridgeProcess) -> str:
        return str(_SERVICES.get(process.waits_for, process.waits_for)) or "—"
