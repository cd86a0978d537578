"""The demo's verdict on operators: what a pause or an outage may not cost, and that anything more fails the demo."""

import io
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from rich.console import Console

from sandbox.demo import ending
from sandbox.demo.archive import Archived
from sandbox.demo.ending import exit_on_signals, undisturbed
from sandbox.demo.findings import exit_code
from sandbox.demo.mail.expectation import Expected
from sandbox.demo.mail.messages import Sent
from sandbox.demo.mail.observation import Observed
from sandbox.demo.mail.verdict import judge
from sandbox.demo.operators.home import sentence_about
from sandbox.demo.operators.table import print_operators
from sandbox.demo.operators.verdict import OperatorFindings, Outage, Pause
from staff.attention import Line

SENT = Archived("succeeded", "", 1, "")
SECOND_TRY = replace(SENT, attempts=2)
ENDED_BY_IT = Archived("failed", "retries_exhausted", 6, "Connection refused")
PAUSE = Pause(sent=5, untouched=5, left_in=0.4, home="на паузе")
OUTAGE = Outage(
    sent=20,
    waiting=20,
    seconds=5.8,
    first_in=1.3,
    endings=(*(SENT,) * 17, *(SECOND_TRY,) * 3),
    status="Mail server (smtp) does not do its part",
    home="не отвечает",
)
GOOD = OperatorFindings(PAUSE, OUTAGE)


def test_a_pause_and_an_outage_that_cost_no_mail_are_as_expected() -> None:
    assert GOOD.differences == []
    assert exit_code(GOOD) == 0


@pytest.mark.parametrize(
    ("findings", "named"),
    [
        (replace(GOOD, pause=replace(PAUSE, untouched=4)), "pause: 1 of 5 messages were touched"),
        (replace(GOOD, pause=replace(PAUSE, left_in=None)), "pause: messages wait on"),
        (replace(GOOD, pause=replace(PAUSE, home="")), "does not tell of the pause"),
        (replace(GOOD, outage=replace(OUTAGE, status="")), "the breaker did not open"),
        (replace(GOOD, outage=replace(OUTAGE, waiting=19)), "1 of 20 messages ended while"),
        (replace(GOOD, outage=replace(OUTAGE, endings=(SECOND_TRY,) * 4)), "4 attempts were spent"),
        (replace(GOOD, outage=replace(OUTAGE, endings=(ENDED_BY_IT,))), "1 messages used up all"),
        (replace(GOOD, outage=replace(OUTAGE, first_in=5.1)), "the first mail came 5.1 s after"),
        (replace(GOOD, outage=replace(OUTAGE, first_in=None)), "the first mail came never"),
        (replace(GOOD, outage=replace(OUTAGE, home="")), "does not tell of the outage"),
        (replace(GOOD, pause=None), "no queue was paused"),
        (replace(GOOD, outage=None), "no server was away"),
        (replace(GOOD, disorder=("manage.py queue pause: no such queue",)), "manage.py queue pause: no such queue"),
    ],
)
def test_whatever_costs_more_is_named_and_fails_the_demo(findings: OperatorFindings, named: str) -> None:
    assert any(named in line for line in findings.differences)
    assert exit_code(findings) == 1
    printed = io.StringIO()
    print_operators(Console(file=printed, width=200), findings)
    assert "✗ " in printed.getvalue()
    assert named in printed.getvalue()


def test_of_mails_that_meet_an_outage_some_spend_an_attempt_and_none_may_fail() -> None:
    sent = Sent(7, "Деньги возвращены", Expected("payment_refunded", "anna@demo.example", meets_outage=True))

    def differences(archived: Archived | None) -> str:
        return "; ".join(judge(sent, Observed(archived, "sent", ()), scale=1.0).differences)

    assert "attempts" not in differences(SECOND_TRY)
    assert "outcome" not in differences(SECOND_TRY)
    assert "reason is 'retries_exhausted'" in differences(ENDED_BY_IT)
    assert "it is not in the archive" in differences(None)


def test_the_home_page_is_read_for_what_it_says_of_the_queue_itself() -> None:
    lines = [
        Line("Очередь email_queue: 2 не удалось", "/admin/bridge/queueoverview/email_queue/?tab=failures", ""),
        Line("Почтовый сервер: «нет ответа»", "/admin/bridge/queueoverview/email_queue/", ""),
    ]
    page = render_to_string(
        "admin/balansity/dashboard/live.html",
        {"home": SimpleNamespace(watches=True, faults=lines, lines=lines, sections=[])},
    )
    assert sentence_about("email_queue", page) == "Почтовый сервер: «нет ответа»"
    assert sentence_about("payment_processing_queue", page) == ""


def test_a_signal_waits_for_what_it_must_not_leave_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_received", [])
    before = {number: signal.getsignal(number) for number in ending._SIGNALS}
    done: list[str] = []

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("started and noted")

    exit_on_signals()
    try:
        with pytest.raises(SystemExit) as ended:
            undisturbed(work)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended.value.code == 130
    assert done == ["started and noted"]
