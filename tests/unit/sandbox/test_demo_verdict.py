"""The demo's verdict on mails: what counts as a difference, and that any difference fails it."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.message import Outcome, Reason
from sandbox.demo.archive import Archived
from sandbox.demo.findings import exit_code
from sandbox.demo.mail.expectation import Expected
from sandbox.demo.mail.messages import MailMessage, Sent, match
from sandbox.demo.mail.observation import Observed
from sandbox.demo.mail.scenario import SCENARIO
from sandbox.demo.mail.verdict import MailFindings, judge
from sandbox.demo.processes import Process
from sandbox.errors import SandboxError
from sandbox.mailbox import Attempt, Verdict

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EMAIL, SUBJECT = "anna@demo.example", "Отчёт готов"
# What Supabase's triggers and its cron send, and what we send ourselves.
MAILS = {
    *("checkup_completed", "appointment_confirmation", "appointment_reminder_24h", "appointment_reminder_1h"),
    *("payment_confirmation", "payment_failed", "payment_refunded", "report_ready"),
}
MESSAGE_ID = "<email_queue.7.0123456789abcdef@littleotter.example>"


def tries(*verdicts: Verdict, seconds: tuple[float, ...] = ()) -> tuple[Attempt, ...]:
    """Tries with these answers; `seconds` are the delays between them."""
    times = [NOON + timedelta(seconds=sum(seconds[:number])) for number in range(len(verdicts))]
    return tuple(
        Attempt(at, EMAIL, MESSAGE_ID, SUBJECT, verdict, "") for at, verdict in zip(times, verdicts, strict=True)
    )


SENT = Sent(7, SUBJECT, Expected("report_ready", EMAIL))
GOOD = Observed(Archived("succeeded", "", 1, ""), "sent", tries(Verdict.ACCEPTED))

THIRD_TRY = Sent(7, SUBJECT, Expected("report_ready", EMAIL, attempts=3, tries=3))
REFUSED_TWICE = (Verdict.REFUSED, Verdict.REFUSED, Verdict.ACCEPTED)


def differences(sent: Sent, observed: Observed, *, scale: float = 1.0) -> str:
    return "; ".join(judge(sent, observed, scale=scale).differences)


def test_a_message_that_ended_as_expected_has_no_differences() -> None:
    result = judge(SENT, GOOD, scale=1.0)

    assert result.differences == ()
    assert exit_code(MailFindings((result,), {})) == 0


@pytest.mark.parametrize(
    ("observed", "named"),
    [
        (replace(GOOD, archived=None), "it is not in the archive"),
        (replace(GOOD, archived=Archived("failed", "permanent_error", 1, "")), "outcome is 'failed'"),
        (replace(GOOD, archived=Archived("", "", 0, "")), "outcome is ''"),
        (replace(GOOD, archived=Archived("succeeded", "", 2, "")), "number of attempts is 2 instead of 1"),
        (replace(GOOD, log_status="sending"), "status in the mail log is 'sending'"),
        (replace(GOOD, tries=()), "number of mails is 0 instead of 1"),
        (replace(GOOD, tries=tries(Verdict.ACCEPTED, Verdict.ACCEPTED, seconds=(1,))), "number of mails is 2"),
        (replace(GOOD, tries=(replace(GOOD.tries[0], recipient="other@demo.example"),)), "recipient is 'other@"),
        (replace(GOOD, tries=(replace(GOOD.tries[0], subject="Другое"),)), "subject is 'Другое'"),
    ],
)
def test_a_wrong_outcome_is_named_and_fails_the_demo(observed: Observed, named: str) -> None:
    result = judge(SENT, observed, scale=1.0)
    findings = MailFindings((judge(SENT, GOOD, scale=1.0), result), {})

    assert named in "; ".join(result.differences)
    assert exit_code(findings) == 1
    assert any(named in line for line in findings.differences)


def test_the_reason_of_a_failure_counts() -> None:
    failed = Sent(7, SUBJECT, Expected("newsletter", EMAIL, Outcome.FAILED, Reason.PERMANENT_ERROR, tries=0))
    seen = Observed(Archived("failed", "retries_exhausted", 1, ""), "failed", ())

    assert "reason is 'retries_exhausted'" in differences(failed, seen)


@pytest.mark.parametrize(("scale", "seconds"), [(1.0, (1.05, 2.9)), (0.2, (0.21, 0.4))])
def test_delays_may_be_a_little_late(scale: float, seconds: tuple[float, ...]) -> None:
    seen = Observed(Archived("succeeded", "", 3, ""), "sent", tries(*REFUSED_TWICE, seconds=seconds))

    assert differences(THIRD_TRY, seen, scale=scale) == ""


@pytest.mark.parametrize(("seconds", "number"), [((0.9, 2.1), 1), ((1.1, 1.1), 2), ((1.1, 5.0), 2)])
def test_delays_that_are_too_short_or_too_long_are_differences(seconds: tuple[float, ...], number: int) -> None:
    seen = Observed(Archived("succeeded", "", 3, ""), "sent", tries(*REFUSED_TWICE, seconds=seconds))

    assert f"delay {number} was {seconds[number - 1]:.2f} s" in differences(THIRD_TRY, seen)


def test_a_mail_whose_worker_was_killed_may_arrive_twice_with_one_message_id_only() -> None:
    sent = Sent(7, SUBJECT, Expected("report_ready", EMAIL, attempts=2, tries=2, worker_killed=True))
    archived = Archived("succeeded", "", 2, "")
    both = tries(Verdict.ACCEPTED, Verdict.ACCEPTED, seconds=(18,))
    strange = (both[0], replace(both[1], message_id="<email_queue.7.ffffffffffffffff@littleotter.example>"))

    assert differences(sent, Observed(archived, "sent", both)) == ""
    assert differences(sent, Observed(archived, "sent", both[:1])) == ""
    assert "different Message-IDs" in differences(sent, Observed(archived, "sent", strange))
    assert "0 mails arrived" in differences(sent, Observed(archived, "sent", tries(Verdict.ABANDONED)))


def test_what_nobody_asked_for_fails_the_demo() -> None:
    findings = MailFindings((judge(SENT, GOOD, scale=1.0),), {}, disorder=("nobody asked for message 8",))

    assert exit_code(findings) == 1
    assert findings.differences == ["nobody asked for message 8"]


def test_an_act_that_judged_nothing_proves_nothing() -> None:
    assert exit_code(MailFindings((judge(SENT, GOOD, scale=1.0),), {}), MailFindings((), {})) == 1


def test_announced_mails_are_found_by_template_and_recipient_and_the_rest_is_told() -> None:
    ready, refunded = Expected("report_ready", EMAIL), Expected("payment_refunded", EMAIL)
    mails = [
        MailMessage(8, "other@demo.example", SUBJECT, "report_ready"),
        MailMessage(9, EMAIL, SUBJECT, "report_ready"),
        MailMessage(10, EMAIL, SUBJECT, "report_ready"),
    ]

    sent, rest, missing = match([ready, refunded], mails)

    assert sent == (Sent(9, SUBJECT, ready),)
    assert [mail.msg_id for mail in rest] == [8, 10]
    assert missing == [refunded]


def test_the_scenario_sends_thirty_mails_or_more_of_every_kind_that_families_know() -> None:
    expected = [each for step in SCENARIO for each in (*step.expects, *step.follows)]

    assert sum(each.mails for each in expected) >= 30
    assert {each.template for each in expected if each.mails} == MAILS


def test_a_process_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process("worker", ("-c", "raise SystemExit('the broker said no')"), b"ready", tmp_path)

    with pytest.raises(SandboxError, match="the broker said no"):
        process.start(os.environ)
