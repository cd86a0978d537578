"""What happens in the demo: an ordinary day of the service, and everything that can go wrong in it."""

import json
from typing import Any

from bridge.message import Outcome, Reason
from sandbox.demo.families import (
    CONSULTATION,
    ELENA,
    FAMILY_SESSION,
    GALINA,
    HEALTHY,
    MARINA,
    NATALYA,
    OLEG,
    PAVEL,
    SERGEY,
    TIMUR,
    VERA,
    YULIA,
    Family,
)
from sandbox.demo.mail import statements as sql
from sandbox.demo.mail.expectation import Expected, Statement, Step
from sandbox.demo.reports.expectation import ExpectedReport
from sandbox.demo.reports.results import NOT_CALCULATED, RESULTS

# What the demo's processes are told; the expectations below follow from it.
MAX_RETRIES = 5
MAX_REPORT_RETRIES = 3
TIME_LIMIT_SECONDS = 6
NO_ADDRESS = "мама Матвея @ почта"


def _for_each(text: str, *families: Family, **values: Any) -> tuple[Statement, ...]:
    return tuple(
        Statement(text, {"user": family.id, "email": family.email, "child": family.child, **values})
        for family in families
    )


def _sent(template: str, *families: Family) -> tuple[Expected, ...]:
    return tuple(Expected(template, family.email) for family in families)


def _finish_checkup(family: Family) -> Statement:
    results = json.dumps(RESULTS.get(family, NOT_CALCULATED))
    return Statement(sql.FINISH_CHECKUP, {"checkup": family.checkup_id, "results": results})


def _duplicates(template: str, *families: Family) -> tuple[Expected, ...]:
    return tuple(Expected(template, family.email, Outcome.DUPLICATE, tries=0) for family in families)


def _unusable(template: str, recipient: str, reason: Reason = Reason.PERMANENT_ERROR, attempts: int = 1) -> Expected:
    return Expected(template, recipient, Outcome.FAILED, reason, attempts, tries=0)


# Alone, so that the kill hits no other mail; the repeat comes when the lease of the dead attempt has run out.
_KILL = Step(
    "Vera's report is ready; the worker is killed (-9) while it sends the mail",
    _for_each(sql.SEND_REPORT_READY, VERA),
    (Expected("report_ready", VERA.email, attempts=2, tries=2, worker_killed=True),),
    kills_worker=True,
)
_ORDINARY_DAY = (
    Step(
        "five families finish their check-up; the results of one are never calculated",
        tuple(_finish_checkup(family) for family in HEALTHY),
        _sent("checkup_completed", *HEALTHY),
        reports=(
            *(ExpectedReport(family) for family in HEALTHY if family in RESULTS),
            ExpectedReport(
                ELENA,
                outcome=Outcome.FAILED,
                reason=Reason.RETRIES_EXHAUSTED,
                attempts=MAX_REPORT_RETRIES + 1,
            ),
        ),
        kept=len(HEALTHY),
    ),
    Step(
        "seven consultations are booked",
        (
            *_for_each(sql.BOOK, MARINA, PAVEL, ELENA, type=CONSULTATION, wait="24 hours"),
            *_for_each(sql.BOOK, TIMUR, NATALYA, type=FAMILY_SESSION, wait="61 minutes"),
            *_for_each(sql.BOOK, MARINA, PAVEL, type=CONSULTATION, wait="8 days"),
        ),
        _sent("appointment_confirmation", *HEALTHY, MARINA, PAVEL),
    ),
    Step(
        "four payments succeed, two fail",
        (
            *_for_each(sql.PAY, MARINA, PAVEL, amount="4500.00", status="completed"),
            *_for_each(sql.PAY, TIMUR, NATALYA, amount="7500.00", status="completed"),
            *_for_each(sql.PAY, ELENA, TIMUR, amount="54000.00", status="failed"),
        ),
        (*_sent("payment_confirmation", MARINA, PAVEL, TIMUR, NATALYA), *_sent("payment_failed", ELENA, TIMUR)),
    ),
    Step(
        "two refunds are announced",
        _for_each(sql.SEND_REFUNDED, ELENA, NATALYA, amount="7500.50"),
        _sent("payment_refunded", ELENA, NATALYA),
    ),
)
_UNUSABLE = Step(
    "four messages that nobody can use",
    (
        Statement(sql.SEND_REPORT_READY, {"email": NO_ADDRESS, "user": ELENA.id}),
        Statement(sql.SEND_TO, {"email": MARINA.email, "template": "newsletter"}),
        Statement(sql.SEND_TO, {"email": PAVEL.email, "template": "appointment_confirmation"}),
        Statement(sql.SEND_NO_OBJECT, {}),
    ),
    (
        _unusable("report_ready", NO_ADDRESS),
        _unusable("newsletter", MARINA.email),
        _unusable("appointment_confirmation", PAVEL.email),
        # Nothing to run: the bridge archives it when it reads it.
        _unusable("", "", Reason.INVALID_MESSAGE, attempts=0),
    ),
)
_FOREIGN_REPORT = Step(
    "Pavel's account asks for the report about Marina's child",
    (Statement(sql.ASK_FOR_REPORT, {"assessment": MARINA.checkup_id, "user": PAVEL.id}),),
    reports=(ExpectedReport(PAVEL, about=MARINA, outcome=Outcome.FAILED, reason=Reason.PERMANENT_ERROR),),
)
_CRON = Step(
    "cron: the reminders of this hour",
    (Statement(sql.REMIND, {}),),
    (
        *_sent("appointment_reminder_24h", MARINA, PAVEL, ELENA),
        *_sent("appointment_reminder_1h", TIMUR, NATALYA),
    ),
)
# In a quiet moment, as waiting in line would add to the delays that are measured.
_SERVER_TROUBLE = (
    Step(
        "Sergey's payment fails; the mail server answers 451 to every try",
        _for_each(sql.PAY, SERGEY, amount="7500.00", status="failed"),
        (
            Expected(
                "payment_failed",
                SERGEY.email,
                Outcome.FAILED,
                Reason.RETRIES_EXHAUSTED,
                attempts=MAX_RETRIES + 1,
                tries=MAX_RETRIES + 1,
            ),
        ),
        quiet=True,
    ),
    Step(
        "Oleg pays; the mail server answers 451 twice",
        _for_each(sql.PAY, OLEG, amount="1999.99", status="completed"),
        (Expected("payment_confirmation", OLEG.email, attempts=3, tries=3),),
    ),
    Step(
        "Yulia books; the connection to the mail server breaks once",
        _for_each(sql.BOOK, YULIA, type=FAMILY_SESSION, wait="12 days"),
        (Expected("appointment_confirmation", YULIA.email, attempts=2, tries=2),),
    ),
    Step(
        "Galina gets a refund; her mailbox does not exist any more",
        _for_each(sql.SEND_REFUNDED, GALINA, amount="4500.00"),
        (Expected("payment_refunded", GALINA.email, Outcome.FAILED, Reason.PERMANENT_ERROR),),
    ),
)
# After that quiet moment, too: of two copies of a reminder that run at once, chance decides which is the duplicate.
_CRON_AGAIN = Step(
    "Marina's consultation is moved by half an hour, then cron reminds everybody once more",
    (*_for_each(sql.MOVE, MARINA), Statement(sql.REMIND, {})),
    (
        *_sent("appointment_reminder_24h", MARINA),
        *_duplicates("appointment_reminder_24h", PAVEL, ELENA),
        *_duplicates("appointment_reminder_1h", TIMUR, NATALYA),
    ),
)

SCENARIO: tuple[Step, ...] = (_KILL, *_ORDINARY_DAY, _UNUSABLE, _FOREIGN_REPORT, _CRON, *_SERVER_TROUBLE, _CRON_AGAIN)
