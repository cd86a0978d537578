"""The words of both mails to staff: what needs somebody, and what has begun or ended. In Russian, like the admin."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from balansity.dashboard.reading import all_lines
from balansity.models import Incident
from notifications.models import StaffNotice
from notifications.writing.notice import NoticeLine, NoticeText
from staff.attention import Line
from staff.formats import age
from wording.our_address import public_address
from wording.russian import MOSCOW, date_in_words

# Nobody reads more of them in a mail.
MOST_LINES = 30


def open_lines() -> list[Line]:
    """The lines of the home page as somebody sees them who may see everything: no line says more than a number.

    What somebody wanted so, as a pause, needs nobody. What could not be looked at has a line that says so.
    """
    return [line for line in all_lines() if line.is_fault]


def write_digest(notice: StaffNotice) -> NoticeText:
    """What needs somebody now, at the moment of writing."""
    now = timezone.now()
    lines = open_lines()
    day = date_in_words(now)
    shown = tuple(
        NoticeLine(
            what=line.text,
            count="",
            note=str(line.advice),
            address=public_address(line.address),
        )
        for line in lines[:MOST_LINES]
    )
    if not shown:
        heading = _("All is settled")
        return NoticeText(f"{heading}: {day}", heading, _("Since this morning somebody has settled everything."), ())
    heading = _("What needs attention")
    lead = _("As of %(time)s. Each line leads to its list in the admin.") % {"time": _clock(now, now)}
    return NoticeText(_("Digest of %(day)s: what needs attention") % {"day": day}, heading, lead, shown)


def write_incidents(notice: StaffNotice) -> NoticeText:
    """What began and ended, as it stands now. What is over by now is told to be, and needs no mail of its own."""
    now = timezone.now()
    of_notice = Incident.objects.filter(Q(begin_notice=notice) | Q(end_notice=notice))
    of_notice.filter(ended_at__isnull=False, end_told_at__isnull=True).update(end_told_at=now, end_notice=notice)
    groups: dict[tuple[str, str], list[Incident]] = defaultdict(list)
    for one in of_notice.order_by("began_at", "pk"):
        groups[one.kind, one.what].append(one)
    # What still goes on comes first.
    shown = sorted(groups.values(), key=_is_over)[:MOST_LINES]
    lines = [_line(group, now) for group in shown]
    is_well = all(line.is_well for line in lines)
    heading = _("All is well again") if is_well else _("This needs attention")
    subject = heading
    if shown:
        what = shown[0][0].what
        subject = _("All is well again (it was: %(what)s)") % {"what": what} if is_well else f"{heading}: {what}"
    if (others := len(lines) - 1) > 0:
        subject += " " + ngettext("and %(count)s more", "and %(count)s more", others) % {"count": others}
    lead = _("Nothing need be done any more.") if is_well else _("As of %(time)s.") % {"time": _clock(now, now)}
    return NoticeText(subject, heading, lead, tuple(lines))


def _is_over(group: Sequence[Incident]) -> bool:
    return all(one.ended_at is not None for one in group)


def _line(group: Sequence[Incident], now: datetime) -> NoticeLine:
    """Incidents that say the same: one, one that came and went, or several things at once."""
    going_on = [one for one in group if one.ended_at is None]
    things = len({one.key for one in going_on or group})
    began, ended = group[0].began_at, max((one.ended_at for one in group if one.ended_at), default=None)
    notes = []
    if going_on:
        notes.append(_("Since %(time)s.") % {"time": _clock(began, now)})
    elif ended is not None:
        span = {"begin": _clock(began, now), "end": _clock(ended, now), "length": _length(began, ended)}
        notes.append(_("From %(begin)s to %(end)s: %(length)s.") % span)
    if len(group) > things:
        said = ngettext("It came and went %(count)s time.", "It came and went %(count)s times.", len(group))
        notes.append(said % {"count": len(group)})
    if going_on and going_on[0].advice:
        notes.append(going_on[0].advice)
    what = group[0].what if going_on else _("It is over: %(what)s") % {"what": group[0].what}
    address = public_address(group[0].address) if group[0].address else ""
    return NoticeLine(what, str(things) if things > 1 else "", " ".join(notes), address, is_well=not going_on)


def _length(began: datetime, ended: datetime) -> str:
    return age((ended - began).total_seconds())


def _clock(moment: datetime, now: datetime) -> str:
    """«14:05», or with its day where that is another one."""
    local = moment.astimezone(MOSCOW)
    is_today = local.date() == now.astimezone(MOSCOW).date()
    return f"{local:%H:%M}" if is_today else f"{date_in_words(moment)}, {local:%H:%M}"
