"""Who did what to which messages, and why: a list to look at, which nobody changes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bridge.admin.addresses import message_address, queue_address
from bridge.admin.skips import skips
from bridge.admin.states import reason_label
from bridge.models import OperatorAction
from bridge.queues import registry
from staff.badges import badge
from staff.formats import moment, two_lines, whole
from staff.read_only import ReadOnlyAdmin
from wording.typed import read_whole

ACTIONS: dict[str, str | Promise] = {
    "pause": gettext_lazy("paused"),
    "change_pause": gettext_lazy("pause changed"),
    "resume": gettext_lazy("let go on"),
    "requeue": gettext_lazy("put back"),
    "retry": gettext_lazy("repeated at once"),
    "discard": gettext_lazy("discarded"),
    "send_again": gettext_lazy("sent again"),
}
_FILTERS: dict[str, str | Promise] = {
    "reason": gettext_lazy("reason"),
    "error_type": gettext_lazy("kind of error"),
    "pattern": gettext_lazy("like"),
    "text": gettext_lazy("with the words"),
    "since": gettext_lazy("since"),
    "until_before": gettext_lazy("until before"),
    "until": gettext_lazy("until"),
    "by": gettext_lazy("paused by"),
    "trace_id": gettext_lazy("trace id"),
    "ids": gettext_lazy("numbers"),
}
# Of what was asked for, in a list.
MOST_CHARACTERS = 200


def action_label(action: str) -> str:
    """What was done; something that a newer version writes is shown as it is called."""
    return str(ACTIONS.get(action, action))


def act_rows(acts: Iterable[OperatorAction]) -> list[dict[str, Any]]:
    """Acts as the page of a message shows them."""
    return [
        {"at": moment(one.at, seconds=True), "who": who(one), "what": _what(one), "reason": one.reason} for one in acts
    ]


def _what(act: OperatorAction) -> str:
    """What was done to the message; of what was only tried, why it came to nothing."""
    label = action_label(act.action)
    if act.msg_id is None or act.count or not act.skipped:
        return label
    return _("%(action)s: nothing was done (%(why)s)") % {"action": label, "why": "; ".join(skips(act.skipped))}


def who(act: OperatorAction) -> str:
    return act.actor if act.actor_kind == "staff" else f"{act.actor} ({act.get_actor_kind_display()})"


def filters_text(filters: Mapping[str, Any]) -> str:
    """Which messages were meant, in words; empty where it was one by its number, or all."""
    names = [*(name for name in _FILTERS if name in filters), *(name for name in filters if name not in _FILTERS)]
    return "; ".join(
        f"{_FILTERS.get(name, name)}: {_filter_text(name, filters[name])}" for name in names if filters[name]
    )


def _filter_text(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value[:20])) + (" …" if len(value) > 20 else "")
    if name == "reason":
        return reason_label(value)
    if name in ("since", "until", "until_before") and (at := _time(value)):
        return moment(at)
    return str(value)[:MOST_CHARACTERS]


def _time(value: Any) -> datetime | None:
    try:
        return parse_datetime(value)
    except (TypeError, ValueError):
        return None


class WhatFilter(admin.SimpleListFilter):
    title = gettext_lazy("what")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, str(label)) for name, label in ACTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OperatorAction]) -> QuerySet[OperatorAction]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class QueueFilter(admin.SimpleListFilter):
    """The queues that we handle: a list that costs no query. Others are found by searching for their name."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(queue.name, queue.name) for queue in registry]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OperatorAction]) -> QuerySet[OperatorAction]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    styles = ("bridge/queue_admin.css",)
    list_display = ("when", "by", "what", "where", "how_many", "reason")
    list_filter = ("actor_kind", WhatFilter, QueueFilter, "at")
    date_hierarchy = "at"
    search_fields = ("actor",)
    search_help_text = gettext_lazy("Who did it, the queue, or the number of the message")
    fields = ("when", "by", "what", "where", "how_many", "meant", "reason")
    readonly_fields = fields
    ordering = ("-at", "-pk")

    def find(self, rows: QuerySet[OperatorAction], text: str) -> QuerySet[OperatorAction]:
        number = read_whole(text)
        found = rows.filter(actor__icontains=text) | rows.filter(queue=text)
        return found if number is None else found | rows.filter(msg_id=number)

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def when(self, act: OperatorAction) -> str:
        return moment(act.at, seconds=True)

    @admin.display(description=gettext_lazy("who"), ordering="actor")
    def by(self, act: OperatorAction) -> str:
        return act.actor if act.actor_kind == "staff" else two_lines(act.actor, act.get_actor_kind_display())

    @admin.display(description=gettext_lazy("action"), ordering="action")
    def what(self, act: OperatorAction) -> SafeString:
        return badge(action_label(act.action))

    @admin.display(description=gettext_lazy("queue"), ordering="queue")
    def where(self, act: OperatorAction) -> SafeString:
        if act.msg_id is None:
            return format_html('<a href="{}">{}</a>', queue_address(act.queue), act.queue)
        address, number = message_address(act.queue, act.msg_id), str(act.msg_id)
        return format_html('{} <a href="{}">№ {}</a>', act.queue, address, number)

    @admin.display(description=gettext_lazy("how many"), ordering="count")
    def how_many(self, act: OperatorAction) -> str:
        """Messages; a pause is about a queue. Below them what was left alone, and why."""
        if act.action in ("pause", "resume"):
            return "—"
        left_alone = "; ".join(skips(act.skipped))
        return two_lines(whole(act.count), left_alone) if left_alone else whole(act.count)

    @admin.display(description=gettext_lazy("which were meant"))
    def meant(self, act: OperatorAction) -> str:
        return filters_text(act.filters) or _("all, or the one that is named")
