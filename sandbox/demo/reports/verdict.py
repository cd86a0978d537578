"""Compares what was expected of each report with what was seen of it. Pure: no database, no clock."""

from dataclasses import dataclass

from sandbox.demo.findings import unequal, unlike_archive
from sandbox.demo.reports.expectation import Asked
from sandbox.demo.reports.observation import ObservedReport, Row


@dataclass(frozen=True, slots=True)
class ReportResult:
    """One report message: how it should have ended, how it did, and what differs (nothing: all is well)."""

    asked: Asked
    observed: ObservedReport
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportFindings:
    results: tuple[ReportResult, ...]
    disorder: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        return len(self.results)

    @property
    def stored(self) -> list[Row]:
        """The rows of the PDFs that the links in the mails opened."""
        return [result.observed.row for result in self.results if result.observed.row and result.observed.opened]

    @property
    def differences(self) -> list[str]:
        found = [f"report message {each.asked.msg_id}: {line}" for each in self.results for line in each.differences]
        return [*found, *self.disorder]


def judge_report(asked: Asked, observed: ObservedReport) -> ReportResult:
    found = [*unlike_archive(asked.expected, observed.archived), *_row(asked, observed)]
    return ReportResult(asked, observed, tuple(found))


def _row(asked: Asked, observed: ObservedReport) -> list[str]:
    expected, row = asked.expected, observed.row
    if row is None:
        return ["there is no row of it"]
    found = unequal(
        ("status of the report", "stored" if expected.is_made else "failed", row.status),
        ("reason of the report", expected.reason.value if expected.reason else "", row.reason),
        ("whether the assessment is the client's", expected.about is None, row.is_confirmed),
    )
    if not expected.is_made:
        return found + unequal(("document", "", row.storage_key))
    if row.pages < 1 or row.size < 1:
        found.append(f"it has {row.pages} pages and {row.size} bytes")
    return found + unequal(
        ("sum of the object in the storage", row.sha256, observed.stored),
        ("sum of what the link in the mail opens", row.sha256, observed.opened),
    )
