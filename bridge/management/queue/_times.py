"""Times as operators type and read them: spans, and moments in Moscow."""

import argparse
import re
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from bridge.holds import Hold

_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def span(text: str) -> timedelta:
    """`1h30m` and the like, for argparse."""
    found = _SPAN.fullmatch(text.strip().lower().replace(" ", ""))
    if found is None or not any(found.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is no span: 90s, 30m, 1h, 1h30m, 2d")
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def at(text: str) -> datetime:
    """A moment, for argparse: without a zone in Moscow, without a day the next time that the clock says so."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock is not None:
        return next_time(time(int(clock[1]), int(clock[2])))
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        moment = None
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 08:00, '2026-11-27 08:00', 2026-11-27T05:00:00Z")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def next_time(clock: time) -> datetime:
    now = timezone.localtime()
    today = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def shown(moment: datetime) -> str:
    """The moment as it is typed, with the name of its zone: what one command shows another one takes."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"


def an_end(hold: Hold) -> str:
    """Until when, in words."""
    if hold.until is None:
        return "until somebody resumes it"
    return f"until {shown(hold.until)}"
