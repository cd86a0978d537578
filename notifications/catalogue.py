"""Every mail that can be sent: its name in a message, its name in the admin, and the variables that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from bridge.errors import PermanentError
from notifications.russian import Money
from notifications.variables import Variables

APPOINTMENT_STATUSES = {
    "scheduled": "запланирована",
    "in_progress": "идёт",
    "completed": "завершена",
    "cancelled": "отменена",
    "no_show": "не состоялась",
}
PAYMENT_METHODS = {"yookassa": "ЮKassa", "bank_card": "банковская карта", "sbp": "СБП"}


class Content:
    """What a mail says. Subclasses are frozen; their fields are what its templates can use."""

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
        # The time is a part of it: an appointment that was moved deserves a reminder of its new time.
        return (self.appointment_id, str(int(self.scheduled_at.timestamp())))


@dataclass(frozen=True, slots=True)
class PaymentConfirmation(Content):
    payment_id: str
    money: Money
    payment_method: str

    @classmethod
    def read(cls, variables: Variables) -> Self:
        method = variables.optional_text("payment_method")
        return cls(
            payment_id=variables.identifier("payment_id"),
            money=Money(variables.amount("amount"), variables.currency("currency")),
            payment_method=PAYMENT_METHODS.get(method, method),
        )


@dataclass(frozen=True, slots=True)
class PaymentFailed(Content):
    payment_id: str
    money: Money

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(payment_id=variables.identifier("payment_id"), money=Money(variables.amount("amount")))


@dataclass(frozen=True, slots=True)
class PaymentRefunded(Content):
    payment_id: str
    money: Money

    @classmethod
    def read(cls, variables: Variables) -> Self:
        money = Money(variables.amount("amount"), variables.currency("currency"))
        return cls(payment_id=variables.identifier("payment_id"), money=money)


@dataclass(frozen=True, slots=True)
class ReportReady(Content):
    assessment_id: str
    profile_name: str
    report_url: str

    @classmethod
    def read(cls, variables: Variables) -> Self:
        return cls(
            assessment_id=variables.identifier("assessment_id"),
            profile_name=variables.text("profile_name"),
            report_url=variables.link("report_url"),
        )


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    """One kind of mail. `read` makes its content from variables or raises `PermanentError`."""

    name: str
    label: str | Promise
    read: Callable[[Variables], Content]


CATALOGUE: Mapping[str, EmailTemplate] = {
    template.name: template
    for template in (
        EmailTemplate("checkup_completed", _("Check-up completed"), CheckupCompleted.read),
        EmailTemplate("appointment_confirmation", _("Appointment confirmed"), AppointmentConfirmation.read),
        EmailTemplate("appointment_reminder_24h", _("Reminder, a day before"), AppointmentReminder.read),
        EmailTemplate("appointment_reminder_1h", _("Reminder, an hour before"), AppointmentReminder.read),
        EmailTemplate("payment_confirmation", _("Payment received"), PaymentConfirmation.read),
        EmailTemplate("payment_failed", _("Payment failed"), PaymentFailed.read),
        EmailTemplate("payment_refunded", _("Payment refunded"), PaymentRefunded.read),
        EmailTemplate("report_ready", _("Report ready"), ReportReady.read),
    )
}


def find_template(name: str) -> EmailTemplate:
    """Return the template, or raise `PermanentError` with the names that there are."""
    try:
        return CATALOGUE[name]
    except KeyError:
        known = ", ".join(CATALOGUE)
        raise PermanentError(f"there is no mail template {name[:100]!r}; there are: {known}") from None
