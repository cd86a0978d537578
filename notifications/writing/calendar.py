"""A consultation as an entry for the calendar of whoever gets the mail (RFC 5545, published as RFC 5546 says).

Calendars are shared, and read over shoulders: nothing in the entry says what is talked about, with whom and about
whom. Its link leads to the cabinet, where one signs in, and not into the room: that opens to whoever has its address.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from icalendar import Alarm, Calendar, Event, vCalAddress

from notifications.attachment import Attachment
from notifications.writing.facts import Meeting

FILE_NAME = "vstrecha.ics"
SUMMARY = "Встреча"
REMINDS_BEFORE = timedelta(hours=1)
_PRODUCT = "-//Balansity//Little Otter//RU"


def calendar_file(meeting: Meeting, *, at: datetime, link: str, contact: str) -> Attachment:
    """The file for this meeting, the same for the same `at`.

    Its UID is the consultation's own id and its SEQUENCE grows, so that a later mail moves the entry that there is.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add_component(_event(meeting, at, link, contact))
    content = calendar.to_ical().decode("utf-8")
    return Attachment(FILE_NAME, "calendar", content, (("method", "PUBLISH"),))


def _event(meeting: Meeting, at: datetime, link: str, contact: str) -> Event:
    # To the minute, as people mean it: seconds are whatever a clock had.
    starts_at = meeting.starts_at.astimezone(UTC).replace(second=0, microsecond=0)
    about = [f"Перенести или отменить: {link}", *([contact] if contact else [])]
    event = Event()
    event.add("uid", str(meeting.id))
    event.add("dtstamp", at.astimezone(UTC))
    event.add("dtstart", starts_at)
    event.add("dtend", starts_at + timedelta(minutes=meeting.minutes))
    event.add("sequence", meeting.revision)
    event.add("summary", SUMMARY)
    event.add("description", "\n".join(about))
    if meeting.is_online:
        event.add("location", "Онлайн")
    event.add("url", link)
    event.add("class", "PRIVATE")
    event.add("status", "CONFIRMED")
    event.add("transp", "OPAQUE")
    event.add("organizer", _organizer())
    event.add_component(_alarm())
    return event


def _organizer() -> vCalAddress:
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    local, _, domain = address.rpartition("@")
    organizer = vCalAddress(f"mailto:{local}@{domain.encode('idna').decode('ascii')}")
    organizer.params["cn"] = name.replace('"', "")
    return organizer


def _alarm() -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", SUMMARY)
    alarm.add("trigger", -REMINDS_BEFORE)
    return alarm
