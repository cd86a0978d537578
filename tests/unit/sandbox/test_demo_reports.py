"""The demo's verdict on reports."""

from dataclasses import replace

import pytest

from bridge.message import Outcome, Reason
from sandbox.demo.archive import Archived
from sandbox.demo.families import ELENA, MARINA, PAVEL
from sandbox.demo.findings import exit_code
from sandbox.demo.mail.scenario import SCENARIO
from sandbox.demo.reports.expectation import Asked, ExpectedReport
from sandbox.demo.reports.observation import ObservedReport, Row
from sandbox.demo.reports.verdict import ReportFindings, judge_report

SUM = "5f" * 32
KEY = "user/assessment/document.pdf"
ROW = Row(id="1", status="stored", reason="", size=46100, pages=3, sha256=SUM, storage_key=KEY, is_confirmed=True)
ASKED = Asked(7, ExpectedReport(MARINA))
GOOD = ObservedReport(Archived("succeeded", "", 1, ""), ROW, stored=SUM, opened=SUM)

FOREIGN = Asked(8, ExpectedReport(PAVEL, MARINA, Outcome.FAILED, Reason.PERMANENT_ERROR))
REFUSED = ObservedReport(
    Archived("failed", "permanent_error", 1, ""),
    replace(ROW, status="failed", reason="permanent_error", storage_key="", is_confirmed=False),
)


def test_reports_that_ended_as_expected_have_no_differences() -> None:
    results = (judge_report(ASKED, GOOD), judge_report(FOREIGN, REFUSED))

    assert [result.differences for result in results] == [(), ()]
    assert exit_code(ReportFindings(results)) == 0
    assert ReportFindings(results).stored == [ROW]


@pytest.mark.parametrize(
    ("observed", "named"),
    [
        (replace(GOOD, archived=None), "it is not in the archive"),
        (replace(GOOD, archived=Archived("failed", "", 1, "")), "outcome is 'failed'"),
        (replace(GOOD, archived=Archived("succeeded", "", 2, "")), "number of attempts is 2"),
        (replace(GOOD, row=None), "there is no row"),
        (replace(GOOD, row=replace(ROW, status="rendering")), "status of the report is 'rendering'"),
        (replace(GOOD, row=replace(ROW, pages=0)), "0 pages"),
        (replace(GOOD, row=replace(ROW, is_confirmed=False)), "whether the assessment is the client's is False"),
        (replace(GOOD, stored=""), "object in the storage"),
        (replace(GOOD, opened="00" * 32), "what the link in the mail opens"),
    ],
)
def test_a_wrong_report_is_named_and_fails_the_demo(observed: ObservedReport, named: str) -> None:
    result = judge_report(ASKED, observed)

    assert named in "; ".join(result.differences)
    assert exit_code(ReportFindings((result,))) == 1


def test_a_document_for_somebody_elses_assessment_is_a_difference() -> None:
    result = judge_report(FOREIGN, replace(REFUSED, row=replace(ROW, status="failed", reason="permanent_error")))

    assert "document is 'user/assessment/document.pdf' instead of ''" in result.differences


def test_an_object_without_a_row_fails_the_demo() -> None:
    disorder = ("nobody asked for the object x.pdf in the storage",)

    assert exit_code(ReportFindings((judge_report(ASKED, GOOD),), disorder)) == 1


def test_every_finished_checkup_asks_for_a_report_and_each_way_to_end_is_played() -> None:
    asked = [report for step in SCENARIO for report in step.reports]

    assert sum(report.is_made for report in asked) >= 4
    assert {report.reason for report in asked} == {None, Reason.RETRIES_EXHAUSTED, Reason.PERMANENT_ERROR}
    assert {report.family for report in asked if report.reason is Reason.RETRIES_EXHAUSTED} == {ELENA}
    assert all(len(step.follows) == sum(report.is_made for report in step.reports) for step in SCENARIO)
