"""What the home page says of reports: those that were not made, and those that nobody finishes."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy, ngettext

from reports.models import Report
from reports.unsettled import open_failures, waiting_long
from staff.attention import Counted, Line, Watch, list_address, some

_failed = Counted(lambda: open_failures(Report.objects.all()))
_waiting = Counted(lambda: waiting_long(Report.objects.all()))


def look_at_reports() -> Iterator[Line]:
    if count := _failed():
        text = ngettext("%(count)s report was not made", "%(count)s reports were not made", count)
        advice = gettext_lazy("Its page says why. Once that is mended, have the report made again there.")
        yield Line(text % {"count": some(count)}, list_address(Report, "standing=open"), advice)
    if count := _waiting():
        text = ngettext(
            "%(count)s report is not ready for more than half an hour",
            "%(count)s reports are not ready for more than half an hour",
            count,
        )
        advice = gettext_lazy(
            "See whether a worker lives and the queue of reports moves; they are made by themselves then."
        )
        yield Line(text % {"count": some(count)}, list_address(Report, "standing=waiting"), advice)


WATCHES = (Watch(gettext_lazy("reports"), "reports.view_report", look_at_reports),)
