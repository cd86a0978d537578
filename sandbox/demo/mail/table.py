"""The table of the mails at the end: expected and got, message by message."""

from collections.abc import Sequence, Set
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.demo.archive import ending
from sandbox.demo.families import DOMAIN
from sandbox.demo.mail.observation import Observed
from sandbox.demo.mail.verdict import MailFindings, Result


def print_mails(console: Console, findings: MailFindings, *, elsewhere: Set[str]) -> None:
    """Print each message's row, the queues that keep theirs, and every difference.

    Messages to the addresses in `elsewhere`, and those that met the outage, are only counted: others tell of them.
    """
    shown = [
        result
        for result in findings.results
        if result.sent.expected.recipient not in elsewhere and not result.sent.expected.meets_outage
    ]
    console.print(_table(shown))
    console.print(
        f"Recipients are at {DOMAIN}. Tries: as the mail server saw them, with the seconds between them.",
        style="dim",
    )
    for result in shown:
        if result.sent.expected.worker_killed:
            console.print(_killed(result), highlight=False)
    others = findings.judged - len(shown)
    console.print(
        f"{others} more mail messages are about the payments, or met the outage: each is counted below.",
        highlight=False,
    )
    for queue, number in findings.kept.items():
        console.print(f"{queue}: its {number} messages stay there, as nobody handles them", highlight=False)
    for line in findings.differences:
        console.print(Text(f"✗ {line}", "red"))


def _table(results: Sequence[Result]) -> Table:
    # Narrow enough for a terminal of 100 columns.
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title="What became of each mail message",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("message", no_wrap=True)
    table.add_column("expected", no_wrap=True)
    table.add_column("got", no_wrap=True)
    table.add_column("tries: delays")
    ordered = sorted(results, key=_order)
    for template, group in groupby(ordered, key=lambda result: result.sent.expected.template):
        table.add_row(Text(template or "no object at all", "bold"))
        for result in group:
            table.add_row(*_row(result))
    return table


def _order(result: Result) -> tuple[str, int]:
    return result.sent.expected.template or "~", result.sent.msg_id


def _row(result: Result) -> tuple[str | Text, ...]:
    mark, style = ("✗", "red") if result.differences else ("✓", "green")
    recipient = result.sent.expected.recipient.removesuffix(f"@{DOMAIN}")
    return (
        Text.assemble((f"{result.sent.msg_id:3} ", "dim"), recipient or "—"),
        str(result.sent.expected),
        Text(f"{mark} {_got(result.observed)}", style),
        _tries(result.observed),
    )


def _got(observed: Observed) -> str:
    if observed.archived is None:
        return "still queued"
    return ending(observed.archived.outcome, observed.archived.reason, observed.archived.attempts)


def _tries(observed: Observed) -> str:
    if not observed.tries:
        return "—"
    delays = " ".join(f"{delay:.1f}" for delay in observed.delays)
    return f"{len(observed.tries)}: {delays}" if delays else "1"


def _killed(result: Result) -> str:
    tries, mails = result.observed.tries, len(result.observed.mails)
    same = len({attempt.message_id for attempt in tries}) == 1
    return (
        f"Message {result.sent.msg_id} was being sent when its worker was killed. The mail server heard of it "
        f"{len(tries)} times, {'with the same Message-ID' if same else 'with DIFFERENT Message-IDs'}; "
        f"the mail arrived {'once' if mails == 1 else f'{mails} times'}."
    )
