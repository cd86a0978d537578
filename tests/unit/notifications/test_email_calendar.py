"""The consultation as a file for a calendar: read by parsers that did not write it, and by eyes that need not know."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from notifications.attachment import Attachment
from notifications.writing.calendar import calendar_file
from notifications.writing.catalogue import CATALOGUE
from notifications.writing.facts import NONE, Facts, Meeting
from notifications.writing.rendering import RenderedEmail, render_email
from notifications.writing.request import EmailRequest
from tests.support.email_samples import IDENTIFIER, SITE, message_body
from tests.unit.notifications.test_email_rendering import AT, Page, link_of_report
from wording.russian import MOSCOW

MEETING = Meeting(
    id=UUID(IDENTIFIER),
    starts_at=datetime(2026, 12, 31, 21, 30, tzinfo=UTC),
    minutes=50,
    revision=217_000_000,
    is_online=True,
)
WITH_FILE = {"appointment_confirmation", "appointment_reminder_24h"}


@pytest.fixture(autouse=True)
def _site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FRONTEND_URL = f"{SITE}/"
    settings.SUPPORT_CONTACT = "8 800 555-35-35"
    settings.DEFAULT_FROM_EMAIL = "Balansity <hello@littleotter.example>"
    monkeypatch.setattr("notifications.writing.links._makers", [link_of_report])


def made(meeting: Meeting = MEETING, contact: str = "Позвоните нам: 8 800 555-35-35") -> Attachment:
    return calendar_file(meeting, at=AT, link=f"{SITE}/appointments", contact=contact)


def lines(file: Attachment) -> dict[str, str]:
    """The properties by a reader of our own: unfolded as RFC 5545 says, and split at the first colon."""
    unfolded = re.sub(r"\r\n[ \t]", "", file.content)
    return dict(line.split(":", 1) for line in unfolded.split("\r\n") if line)


def event(file: Attachment) -> icalendar.Event:
    (found,) = icalendar.Calendar.from_ical(file.content).walk("VEVENT")
    assert isinstance(found, icalendar.Event)
    return found


def render(template: str, facts: Facts) -> RenderedEmail:
    return render_email(EmailRequest.parse(message_body(template)), facts, at=AT)


def test_the_entry_says_when_and_for_how_long() -> None:
    read = lines(made())
    assert (read["DTSTART"], read["DTEND"]) == ("20261231T213000Z", "20261231T222000Z")
    assert (read["UID"], read["SEQUENCE"], read["METHOD"]) == (IDENTIFIER, "217000000", "PUBLISH")
    assert read["DTSTAMP"] == f"{AT:%Y%m%dT%H%M%SZ}"
    assert read["TRIGGER"] == "-PT1H"
    found = event(made())
    assert found.DTSTART.astimezone(MOSCOW).isoformat() == "2027-01-01T00:30:00+03:00"
    assert found.duration == timedelta(minutes=50)
    assert str(found["ORGANIZER"]) == "mailto:hello@littleotter.example"


def test_whoever_looks_over_a_shoulder_learns_nothing() -> None:
    file = made()
    assert event(file)["SUMMARY"] == "Встреча"
    assert lines(file)["CLASS"] == "PRIVATE"
    whole = re.sub(r"\r\n[ \t]", "", file.content).lower()
    for word in ("консультац", "психолог", "сесси", "ребён", "profile", "room", "video", "маша"):
        assert word not in whole
    assert set(re.findall(r"https?://[^\s\\]+", whole)) == {f"{SITE}/appointments"}


def test_the_entry_says_how_to_move_it_and_whom_to_ask() -> None:
    assert event(made())["DESCRIPTION"] == (
        f"Перенести или отменить: {SITE}/appointments\nПозвоните нам: 8 800 555-35-35"
    )
    assert event(made(contact=""))["DESCRIPTION"] == f"Перенести или отменить: {SITE}/appointments"


def test_a_meeting_in_person_is_not_called_online() -> None:
    assert event(made())["LOCATION"] == "Онлайн"
    assert "LOCATION" not in event(made(replace(MEETING, is_online=False)))


def test_an_entry_that_was_moved_is_the_same_entry_with_a_higher_sequence() -> None:
    later = replace(MEETING, starts_at=MEETING.starts_at + timedelta(days=1), revision=MEETING.revision + 60)
    before, after = event(made()), event(made(later))
    assert str(before["UID"]) == str(after["UID"])
    assert before.sequence < after.sequence


@given(
    starts_at=st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.timezones()),  # noqa: DTZ001
    minutes=st.integers(1, 24 * 60),
    revision=st.integers(0, 2**31 - 1),
    contact=st.text(max_size=300).filter(str.isprintable),
)
def test_whatever_is_in_it_every_line_is_short_and_ends_as_it_must(
    starts_at: datetime, minutes: int, revision: int, contact: str
) -> None:
    file = made(replace(MEETING, starts_at=starts_at, minutes=minutes, revision=revision), contact)
    assert file.content.endswith("END:VCALENDAR\r\n")
    assert "\n" not in file.content.replace("\r\n", "")
    assert "\r" not in file.content.replace("\r\n", "")
    assert max(len(line.encode()) for line in file.content.split("\r\n")) <= 75
    assert len(file.content.encode()) < 4096
    found = event(file)
    # Within a zone's skipped hour Python calls no two times equal that are of different zones.
    assert found.DTSTART.astimezone(UTC) == starts_at.astimezone(UTC).replace(second=0, microsecond=0)
    assert found.DTSTART.second == 0
    assert found.duration == timedelta(minutes=minutes)


def test_a_file_arrives_as_it_was_made() -> None:
    part = made().part()
    assert part.get_content_type() == "text/calendar"
    assert (part.get_content_charset(), part.get_param("method")) == ("utf-8", "PUBLISH")
    assert part.get_filename() == "vstrecha.ics"
    assert part.get_content_disposition() == "attachment"
    sent = part.get_payload(decode=True)
    assert isinstance(sent, bytes)
    assert sent.decode() == made().content


@pytest.mark.parametrize("template", CATALOGUE)
def test_mails_that_fix_a_time_bring_it_along(template: str) -> None:
    rendered = render(template, Facts(meeting=MEETING))
    assert [file.name for file in rendered.attachments] == (["vstrecha.ics"] if template in WITH_FILE else [])
    for part in (Page(rendered.html).text.replace("\u00a0", " "), rendered.text):
        assert ("приложен файл" in part) == (template in WITH_FILE)
        assert ("Перенести или отменить" in part) == template.startswith("appointment")
    # What is in it is the mail's to say; the log needs no second copy.
    assert "VCALENDAR" not in rendered.html + rendered.text


@pytest.mark.parametrize("template", WITH_FILE)
def test_without_a_meeting_that_we_know_of_the_mail_is_whole_all_the_same(template: str) -> None:
    rendered = render(template, NONE)
    assert rendered.attachments == ()
    assert "23 ноября 2026, 14:30 МСК" in rendered.text
    assert "приложен" not in rendered.html + rendered.text
    assert "Перенести или отменить" in rendered.text


@pytest.mark.parametrize("template", [*WITH_FILE, "appointment_reminder_1h"])
def test_the_mail_says_the_time_that_its_file_says(template: str) -> None:
    rendered = render(template, Facts(meeting=MEETING))
    for part in (rendered.html, rendered.text):
        assert "1 января 2027, 00:30 МСК" in part
        assert "23 ноября" not in part


def test_the_same_attempt_makes_the_same_file() -> None:
    one, other = (render("appointment_confirmation", Facts(meeting=MEETING)) for _ in range(2))
    assert one == other
