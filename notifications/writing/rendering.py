"""Turns a request into the mail as it goes out: HTML and a text alternative, from the templates of this package."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string

from notifications.attachment import Attachment
from notifications.mailboxes import is_extra_recipient
from notifications.writing.catalogue import STAFF_MAIL, find_template
from notifications.writing.facts import NONE, Facts
from notifications.writing.links import make_report_link
from notifications.writing.request import EmailRequest
from wording.brand import BRAND, SERVICE
from wording.contact import read_contact
from wording.our_address import our_address


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    html: str
    text: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of the front end that mails lead to."""

    home: str
    cabinet: str
    appointments: str
    checkups: str


def render_email(request: EmailRequest, facts: Facts = NONE, *, at: datetime) -> RenderedEmail:
    """Render a mail, with its links as of `at`. HTML escapes every value; the text carries them as they are.

    The links open something for whoever holds them: what this returns goes to the recipient and into no table.
    """

    def link_of_report(report_id: UUID) -> str:
        return make_report_link(report_id, recipient=request.recipient, at=at)

    attachments = _attachments(request, facts, at)
    context = {
        "content": request.content.with_links(link_of_report),
        "purchase": facts.purchase,
        # The row knows better than a message, which is older and may be anybody's.
        "scheduled_at": facts.meeting.starts_at if facts.meeting else getattr(request.content, "scheduled_at", None),
        "has_calendar": bool(attachments),
        "links": front_end_pages(),
        "contact": read_contact(settings.SUPPORT_CONTACT),
        "brand": BRAND,
        "service": SERVICE,
        "recipient": request.recipient,
        "is_trial": is_extra_recipient(request.recipient),
        "admin_home": our_address("admin:index") if request.template == STAFF_MAIL.name else "",
    }
    template = f"notifications/email/{request.template}"
    return RenderedEmail(
        html=render_to_string(f"{template}.html", context),
        text=render_to_string(f"{template}.txt", context).strip() + "\n",
        attachments=attachments,
    )


def front_end_pages() -> Links:
    base = settings.FRONTEND_URL.rstrip("/")
    return Links(
        home=base,
        cabinet=f"{base}/cabinet",
        appointments=f"{base}/appointments",
        checkups=f"{base}/checkup-history",
    )


def _attachments(request: EmailRequest, facts: Facts, at: datetime) -> tuple[Attachment, ...]:
    if facts.meeting is None or not find_template(request.template).for_calendar:
        return ()
    contact = read_contact(settings.SUPPORT_CONTACT)
    words = f"{contact.words} {contact.plain}" if contact else ""
    # Loaded by the first mail with an entry, as `icalendar` is 80 modules, and every process loads this one.
    from notifications.writing.calendar import calendar_file  # noqa: PLC0415

    return (calendar_file(facts.meeting, at=at, link=front_end_pages().appointments, contact=words),)
