"""What is wrong now against what was wrong a minute ago, and who has been told: each incident once, and its end.

A thing that comes and goes is told at most once in `QUIET`; what happens meanwhile comes together in the next mail. An
end is told when nothing of its kind stands open any more. If the mail about the beginning has not been written by then
(the mail server was away, say), it says both, and no other one follows.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone, translation

from balansity.models import Incident
from balansity.packages import modules_called
from bridge.postgres import first_line, is_outage
from bridge.seldom import Seldom
from notifications.models import StaffNotice
from notifications.staff_notices import alone, make_notice, staff
from staff.troubles import Detector, Trouble

logger = logging.getLogger(__name__)

KIND = "incidents"
QUIET = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=90)
_seldom = Seldom()


def look() -> None:
    """Look at everything, note what began and ended, and queue what has to be told. Of two at once one does it."""
    with translation.override("ru"), transaction.atomic():
        seen = {detector.name: _seen_by(detector) for detector in all_detectors()}
    found = {name: troubles for name, troubles in seen.items() if troubles is not None}
    with transaction.atomic():
        if not alone(wait=False):
            return
        now = timezone.now()
        for name, troubles in found.items():
            _note(name, troubles, now)
        _tell(now)


def all_detectors() -> Iterator[Detector]:
    """Those of each installed package that has a module `incidents`."""
    for module in modules_called("incidents"):
        yield from module.DETECTORS


def _seen_by(detector: Detector) -> list[Trouble] | None:
    """What it sees; `None` where it cannot tell: what stands open stays so then."""
    standing = Incident.objects.filter(detector=detector.name, ended_at__isnull=True)
    try:
        with transaction.atomic():
            return list(detector.find(frozenset(standing.values_list("key", flat=True))))
    except DatabaseError as error:
        if is_outage(error):
            raise
        # A table of a version to come, a right that we lack: the others can be told.
        if _seldom.tell(detector.name):
            logger.warning("nobody is told of %s: %s", detector.name, first_line(error))
        return None


def _note(name: str, troubles: Iterable[Trouble], now: datetime) -> None:
    wrong = {trouble.key: trouble for trouble in troubles}
    standing = Incident.objects.filter(detector=name, ended_at__isnull=True)
    known = set(standing.values_list("key", flat=True))
    standing.exclude(key__in=wrong).update(ended_at=now)
    Incident.objects.bulk_create(
        [
            Incident(
                detector=name,
                kind=trouble.kind,
                key=key,
                what=trouble.what,
                advice=trouble.advice,
                address=trouble.address,
                began_at=trouble.since or now,
            )
            for key, trouble in wrong.items()
            if key not in known
        ],
        ignore_conflicts=True,
    )


def _tell(now: datetime) -> None:
    begun = list(Incident.objects.filter(begin_told_at__isnull=True).order_by("pk"))
    quiet = _kinds_told_since(now - QUIET)
    begins = [one for one in begun if one.kind not in quiet]
    ends = _ends()
    if not staff():
        # Whoever is named later is told of what comes then.
        _mark(Incident.objects.filter(pk__in=[one.pk for one in begun]), ends, None, now)
        return
    in_time = {one.pk for one in ends if one.begin_notice is not None and one.begin_notice.text is None}
    _end_in(begin_of=in_time, now=now)
    ends = [one for one in ends if one.pk not in in_time]
    if begins or ends:
        notice = make_notice(KIND, now.isoformat())
        if notice is not None:
            _mark(Incident.objects.filter(pk__in=[one.pk for one in begins]), ends, notice, now)
            logger.info("staff are told of %s incidents and the end of %s", len(begins), len(ends))


def _kinds_told_since(moment: datetime) -> set[str]:
    return set(Incident.objects.filter(begin_told_at__gt=moment).values_list("kind", flat=True))


def _ends() -> list[Incident]:
    """Those that are over and not told to be, where nothing of their kind goes on."""
    going_on = Incident.objects.filter(ended_at__isnull=True).values_list("kind", flat=True)
    over = Incident.objects.filter(begin_told_at__isnull=False, ended_at__isnull=False, end_told_at__isnull=True)
    return list(over.exclude(kind__in=set(going_on)).select_related("begin_notice").order_by("pk"))


def _mark(begins: QuerySet[Incident], ends: Iterable[Incident], notice: StaffNotice | None, now: datetime) -> None:
    """Compare and set: what somebody else has told meanwhile stays as it is."""
    untold = begins.filter(begin_told_at__isnull=True)
    over = list(untold.filter(ended_at__isnull=False).values_list("pk", flat=True))
    untold.update(begin_told_at=now, begin_notice=notice)
    ended = Incident.objects.filter(pk__in=[*over, *(one.pk for one in ends)], end_told_at__isnull=True)
    ended.update(end_told_at=now, end_notice=notice)


def _end_in(*, begin_of: set[int], now: datetime) -> None:
    """Let the ends be told by the mails about the beginnings, which nobody has written yet."""
    for one in Incident.objects.filter(pk__in=begin_of, end_told_at__isnull=True):
        Incident.objects.filter(pk=one.pk).update(end_told_at=now, end_notice=one.begin_notice)


def forget_incidents() -> None:
    """Delete what ended long ago."""
    Incident.objects.filter(end_told_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()
