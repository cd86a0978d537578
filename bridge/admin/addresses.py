"""Where the pages about a queue and about a message are, whatever others call their queues."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlencode

from django.http import HttpRequest
from django.urls import register_converter, reverse
from django.utils.translation import gettext as _

from staff.elsewhere import Way


class QueueConverter:
    """A name of a queue as one part of an address: a slash in it is written twice over."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value)

    def to_url(self, value: str) -> str:
        return quote(value, safe=" !'()*,:;=@&+$~") if "/" in value or "%" in value else value


register_converter(QueueConverter, "queue")


def queue_address(queue: str, /, **asked: Any) -> str:
    """The page of a queue; what is asked for goes into its query."""
    return _with_query(reverse("admin:bridge_queueoverview_queue", args=[queue]), asked)


def act_address(queue: str, /, **asked: Any) -> str:
    """The page that asks before something is done to messages of a queue."""
    return _with_query(reverse("admin:bridge_queueoverview_act", args=[queue]), asked)


def message_address(queue: str, msg_id: int) -> str:
    return reverse("admin:bridge_queueoverview_message", args=[queue, msg_id])


def _with_query(address: str, asked: dict[str, Any]) -> str:
    query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
    return f"{address}?{query}" if query else address


def may_see_messages(request: HttpRequest) -> bool:
    return request.user.has_perm("bridge.view_queueoverview")


def ways_to_messages(request: HttpRequest, queue: str, ids: Iterable[int | None]) -> list[Way]:
    """From a mail, a payment or a report to its messages, for those who may see them."""
    if not may_see_messages(request):
        return []
    numbers = dict.fromkeys(msg_id for msg_id in ids if msg_id)
    return [Way(_("№ %(number)s") % {"number": number}, message_address(queue, number)) for number in numbers]
