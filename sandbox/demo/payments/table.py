"""The table of the payments at the end."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.demo.payments.observation import ObservedPayment
from sandbox.demo.payments.verdict import PaymentFindings, PaymentResult


def print_payments(console: Console, findings: PaymentFindings) -> None:
    """Print each payment's row, the money, and every difference."""
    # Narrow enough for a terminal of 100 columns.
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title="What became of each payment",
        title_justify="left",
        title_style="bold",
    )
    for heading in ("payment", "expected", "got", "YooKassa"):
        table.add_column(heading, no_wrap=True)
    table.add_column("mails", justify="right", no_wrap=True)
    for result in findings.results:
        table.add_row(*_row(result))
    console.print(table)
    money = findings.money
    console.print(
        f"Paid {money.paid_here:.2f} ₽, refunded {money.refunded_here:.2f} ₽; at YooKassa {money.paid_there:.2f} ₽ and "
        f"{money.refunded_there:.2f} ₽. It sent {findings.sent} notifications.",
        highlight=False,
    )
    for line in findings.differences:
        console.print(Text(f"✗ {line}", "red"))


def _row(result: PaymentResult) -> tuple[str | Text, ...]:
    mark, style = ("✗", "red") if result.differences else ("✓", "green")
    observed = result.observed
    return (
        result.expected.what,
        str(result.expected),
        Text(f"{mark} {_got(observed)}", style),
        ", ".join(one.status for one in observed.held) or "—",
        f"{observed.mails} of {len(result.expected.mails)}",
    )


def _got(observed: ObservedPayment) -> str:
    return str(observed.state or f"refused ({', '.join(map(str, observed.answers))})")
