"""What is printed at the end: a table for each act, where the keepsakes lie, and the last line."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sandbox.demo.cast import Reviews
from sandbox.demo.findings import Findings, exit_code
from sandbox.demo.keepsakes import LOGS, MAILS, REPORTS
from sandbox.demo.log_search import LogFindings
from sandbox.demo.mail.table import print_mails
from sandbox.demo.operators.table import print_operators
from sandbox.demo.payments.customers import CUSTOMERS
from sandbox.demo.payments.table import print_payments
from sandbox.demo.reports.table import print_reports, tell_reports
from sandbox.packages import CHECKOUT


def print_tables(console: Console, reviews: Reviews) -> None:
    # What the payments' customers are mailed stands in the table of the payments.
    print_mails(console, reviews.mail, elsewhere={customer.email for customer in CUSTOMERS})
    print_reports(console, reviews.reports)
    print_payments(console, reviews.payments)
    print_operators(console, reviews.operators)


def say_end(console: Console, reviews: Reviews, logs: LogFindings, folder: Path, seconds: float) -> None:
    """Say where everything lies, and whether all is as expected."""
    where = folder.relative_to(CHECKOUT) if folder.is_relative_to(CHECKOUT) else folder
    acts: Sequence[Findings] = (*reviews.acts, logs)
    for line in logs.differences:
        console.print(Text(f"✗ {line}", "red"))
    lines = [
        f"{logs.lines} lines of {len(logs.files)} logs hold {len(logs.leaks)} secrets, tokens or whole addresses",
        f"the {reviews.mail.mails} mails lie in {where / MAILS}/ (*.eml, any mail program opens them)",
        tell_reports(reviews.reports.stored, where / REPORTS),
    ]
    if exit_code(*acts):
        lines.append(f"the logs lie in {where}/ until the next demo")
        last = f"NOT as expected: {sum(len(act.differences) for act in acts)} differences, after {seconds:.0f} s"
    else:
        lines.append(f"the logs lie in {where / LOGS}/")
        last = (
            f"all {reviews.mail.judged} mail messages, {reviews.reports.judged} reports, "
            f"{reviews.payments.judged} payments, a pause and an outage ended as expected, after {seconds:.0f} s"
        )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(last, style="bold red" if exit_code(*acts) else "bold green", highlight=False)
