"""What the home page says of mails: those that did not go, and how many did today."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bridge.admin.held import sentence_of
from bridge.dashboard.reading import holds_now
from notifications.models import UNFINISHED, EmailMessage, Status
from notifications.queue import QUEUE
from notifications.unsettled import open_bounces, open_failures
from staff.attention import Counted, Line, Watch, list_address, some
from staff.formats import whole
from staff.sections import Figure, Section
from wording.russian import MOSCOW

_failed = Counted(lambda: open_failures(EmailMessage.objects.all()))
_bounced = Counted(lambda: open_bounces(EmailMessage.objects.all()))


def look_at_failed() -> Iterator[Line]:
    if count := _failed():
        text = ngettext("%(count)s email was not sent", "%(count)s emails were not sent", count)
        advice = gettext_lazy("Open one to see why. Once that is mended, choose them in the list and send them again.")
        yield Line(text % {"count": some(count)}, list_address(EmailMessage, "standing=open"), advice)


def look_at_bounced() -> Iterator[Line]:
    """Those that a provider took and could not deliver."""
    if count := _bounced():
        text = ngettext("%(count)s email did not arrive", "%(count)s emails did not arrive", count)
        advice = gettext_lazy("Its page says why. Ask the client, by telephone, for an address that works.")
        yield Line(text % {"count": some(count)}, list_address(EmailMessage, "arrival=open"), advice)


def read_mails() -> dict[str, Any]:
    """Of the mails of this day in Moscow; those that still wait may be older."""
    today = timezone.localdate(timezone=MOSCOW)
    begin = datetime.combine(today, time.min, MOSCOW)
    within = {"created_at__gte": begin, "created_at__lt": begin + timedelta(days=1)}
    ended = EmailMessage.objects.filter(**within, status__in=(Status.SENT, Status.FAILED))
    counts = dict(ended.order_by().values_list("status").annotate(Count("pk")))
    waiting = EmailMessage.objects.filter(status__in=UNFINISHED).order_by().count()

    def address(status: Status) -> str:
        return list_address(EmailMessage, urlencode({**within, "status__exact": status.value}))

    sent, failed = counts.get(Status.SENT, 0), counts.get(Status.FAILED, 0)
    return {
        "figures": [
            Figure(_("Sent"), whole(sent), address=address(Status.SENT)),
            Figure(_("Not sent"), whole(failed), address=address(Status.FAILED)),
            Figure(_("On their way"), whole(waiting)),
        ],
        # Whoever may not look at queues is asked all the same why a mail does not come.
        "held": [sentence_of(hold) for hold in holds_now().get(QUEUE, ())],
    }


WATCHES = (
    Watch(gettext_lazy("emails"), "notifications.view_emailmessage", look_at_failed),
    Watch(gettext_lazy("emails that did not arrive"), "notifications.view_emailmessage", look_at_bounced),
)
SECTIONS = (
    Section(
        "mails",
        gettext_lazy("Emails today"),
        "notifications.view_emailmessage",
        "admin/notifications/dashboard/mails.html",
        read_mails,
        place=50,
        narrow=True,
    ),
)
