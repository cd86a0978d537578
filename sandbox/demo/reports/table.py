"""The table of the reports at the end."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.demo.archive import ending
from sandbox.demo.reports.observation import ObservedReport, Row
from sandbox.demo.reports.verdict import ReportFindings, ReportResult


def print_reports(console: Console, findings: ReportFindings) -> None:
    """Print each report's row and every difference."""
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title="What became of each report",
        title_justify="left",
        title_style="bold",
    )
    for heading in ("report", "expected", "got"):
        table.add_column(heading, no_wrap=True)
    for heading in ("tries", "pages", "kB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in findings.results:
        table.add_row(*_row(result))
    console.print(table)
    for line in findings.differences:
        console.print(Text(f"✗ {line}", "red"))


def tell_reports(stored: Sequence[Row], folder: Path | str) -> str:
    """One line that says how many PDFs there are and where."""
    pages, size = sum(row.pages for row in stored), sum(row.size for row in stored)
    return f"the {len(stored)} reports lie in {folder}/ (*.pdf, {pages} pages, {size / 1000:.0f} kB)"


def _row(result: ReportResult) -> tuple[str | Text, ...]:
    mark, style = ("✗", "red") if result.differences else ("✓", "green")
    expected, row = result.asked.expected, result.observed.row
    about = f" about {expected.about.mailbox}" if expected.about else ""
    has_document = row is not None and bool(row.storage_key)
    return (
        Text.assemble((f"{result.asked.msg_id:3} ", "dim"), expected.family.mailbox, about),
        _stored(ending(expected.outcome, expected.reason or "", 1)),
        Text(f"{mark} {_got(result.observed)}", style),
        str(result.observed.archived.attempts) if result.observed.archived else "—",
        str(row.pages) if row and has_document else "—",
        f"{row.size / 1000:.1f}" if row and has_document else "—",
    )


def _got(observed: ObservedReport) -> str:
    if observed.archived is None:
        return "still queued"
    return _stored(ending(observed.archived.outcome, observed.archived.reason, 1))


def _stored(text: str) -> str:
    return "stored, announced" if text == "sent" else text
