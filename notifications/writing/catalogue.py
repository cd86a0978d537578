"""Every mail that can be sent: its name in a message, its name in the admin, and the variables that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from bridge.errors import PermanentError
from notifications.writing.notice import NoticeText
from notifications.writing.variables import Variables
from wording.payment_methods import method_in_words
from wording.russian import NBSP, Money, order_number

APPOINTMENT_STATUSES = {
    "scheduled": "запланирована",
    "in_progress": "идёт",
    "completed": "завершена",
    "cancelled": "отменена",
    "no_show": "не состоялась",
}


LinkOfReport = Callable[[UUID], str]


class Thing(StrEnum):
    """What a mail can be about: a row of Supabase's tables that belongs to a customer, or a note of ours to staff."""

    PAYMENT = "payment"
    APPOINTMENT = "appointment"
    ASSESSMENT = "assessment"
    NOTICE = "notice"


class Content:
    """What a mail says. Subclasses are frozen; their fields are what its templates can use."""

    def about(self) -> tuple[Thing, str]:
        """The thing that the mail claims to be about, by its id."""
        raise NotImplementedError

    def with_links(self, link_of_report: LinkOfReport) -> Self:
        """The content with the links that no message carries, as they open something for whoever holds them."""
        return self

    def identity(self) -> tuple[str, ...]:
        """What makes two mails of this template to one recipient the same mail; empty if each stands for itself."""
        return ()


@dataclass(frozen=True, slots=True)
class CheckupCompleted(Content):
    assessment_id: str
    profile_name: str
    completed_at: datetime | None

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(
            assessment_id=variables.identifier("assessment_id"),
            profile_name=variables.optional_text("profile_name"),
            completed_at=variables.optional_time("completed_at"),
        )

    def about(self) -> tuple[Thing, str]:
        return Thing.ASSESSMENT, self.assessment_id


@dataclass(frozen=True, slots=True)
class AppointmentConfirmation(Content):
    appointment_id: str
    appointment_type: str
    scheduled_at: datetime
    status: str

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(
            appointment_id=variables.identifier("appointment_id"),
            appointment_type=variables.text("appointment_type"),
            scheduled_at=variables.time("scheduled_at"),
            status=variables.choice("status", APPOINTMENT_STATUSES, default="scheduled"),
        )

    def about(self) -> tuple[Thing, str]:
        return Thing.APPOINTMENT, self.appointment_id


@dataclass(frozen=True, slots=True)
class AppointmentReminder(Content):
    appointment_id: str
    scheduled_at: datetime

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(
            appointment_id=variables.identifier("appointment_id"),
            scheduled_at=variables.time("scheduled_at"),
        )

    def identity(self) -> tuple[str, ...]:
        # The time is a part of it: an appointment that was moved deserves a reminder of its new time. To the minute, as
        # people mean it: seconds are whatever a clock had.
        return (self.appointment_id, str(int(self.scheduled_at.timestamp() // 60 * 60)))

    def about(self) -> tuple[Thing, str]:
        return Thing.APPOINTMENT, self.appointment_id


@dataclass(frozen=True, slots=True)
class _Payment(Content):
    payment_id: str
    money: Money

    @property
    def order(self) -> str:
        """«№ c28372ca», as the till and the receipt say it."""
        return f"№{NBSP}{order_number(self.payment_id)}"

    def about(self) -> tuple[Thing, str]:
        return Thing.PAYMENT, self.payment_id


@dataclass(frozen=True, slots=True)
class PaymentConfirmation(_Payment):
    payment_method: str

    @classmethod
    def read(cls, variables: Variables) -> Self:
        method = variables.optional_text("payment_method")
        return cls(
            payment_id=variables.identifier("payment_id"),
            money=Money(variables.amount("amount"), variables.currency("currency")),
            payment_method=method_in_words(method),
        )


@dataclass(frozen=True, slots=True)
class PaymentFailed(_Payment):
    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(payment_id=variables.identifier("payment_id"), money=Money(variables.amount("amount")))


@dataclass(frozen=True, slots=True)
class PaymentRefunded(_Payment):
    @classmethod
    def read(cls, variables: Variables) -> Self:
        money = Money(variables.amount("amount"), variables.currency("currency"))
        return cls(payment_id=variables.identifier("payment_id"), money=money)


@dataclass(frozen=True, slots=True)
class ReportReady(Content):
    """`report_url` is empty until the mail is made, but in old messages about a signed object of the storage."""

    assessment_id: str
    profile_name: str
    report_id: UUID | None
    report_url: str = ""

    @classmethod
    def read(cls, variables: Variables) -> Self:
        is_old = variables.has("report_url") and not variables.has("report_id")
        report = variables.report_link("report_url") if is_old else variables.uuid("report_id")
        assessment_id, profile_name = variables.identifier("assessment_id"), variables.text("profile_name")
        if isinstance(report, UUID):
            return cls(assessment_id, profile_name, report_id=report)
        return cls(assessment_id, profile_name, report_id=None, report_url=report)

    def about(self) -> tuple[Thing, str]:
        return Thing.ASSESSMENT, self.assessment_id

    def with_links(self, link_of_report: LinkOfReport) -> Self:
        return replace(self, report_url=link_of_report(self.report_id)) if self.report_id else self


@dataclass(frozen=True, slots=True)
class NoteToStaff(Content):
    """`text` is there once the mail is made, from our own row: no message says anything to staff."""

    notice_id: UUID
    text: NoticeText | None = None

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(notice_id=variables.uuid("notice_id", "a note to staff"))

    def about(self) -> tuple[Thing, str]:
        return Thing.NOTICE, str(self.notice_id)

    def identity(self) -> tuple[str, ...]:
        return (str(self.notice_id),)


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    """One kind of mail. `read` makes its content from variables or raises `PermanentError`.

    With `for_calendar` the consultation that it is about comes along as a file.
    """

    name: str
    label: str | Promise
    read: Callable[[Variables], Content]
    for_calendar: bool = False


CATALOGUE: Mapping[str, EmailTemplate] = {
    template.name: template
    for template in (
        EmailTemplate("checkup_completed", _("Check-up completed"), CheckupCompleted.read),
        EmailTemplate("appointment_confirmation", _("Appointment confirmed"), AppointmentConfirmation.read, True),
        # No mail says that a consultation was moved: this one brings its entry up to date.
        EmailTemplate("appointment_reminder_24h", _("Reminder, a day before"), AppointmentReminder.read, True),
        EmailTemplate("appointment_reminder_1h", _("Reminder, an hour before"), AppointmentReminder.read),
        EmailTemplate("payment_confirmation", _("Payment received"), PaymentConfirmation.read),
        EmailTemplate("payment_failed", _("Payment failed"), PaymentFailed.read),
        EmailTemplate("payment_refunded", _("Payment refunded"), PaymentRefunded.read),
        EmailTemplate("report_ready", _("Report ready"), ReportReady.read),
    )
}

# No family ever gets it.
STAFF_MAIL = EmailTemplate("staff_notice", _("Note to staff"), NoteToStaff.read)
ALL_MAILS: Mapping[str, EmailTemplate] = {**CATALOGUE, STAFF_MAIL.name: STAFF_MAIL}


def find_template(name: str) -> EmailTemplate:
    """Return the template, or raise `PermanentError` with the names that there are."""
    try:
        return ALL_MAILS[name]
    except KeyError:
        known = ", ".join(CATALOGUE)
        raise PermanentError(f"there is no mail template {name[:100]!r}; there are: {known}") from None
