"""The reports act has no scenes of its own: what finished check-ups asked for is looked at when everything is over."""

from collections.abc import Sequence

from sandbox.demo.reports.expectation import Asked
from sandbox.demo.reports.observation import ReportObserver
from sandbox.demo.reports.verdict import ReportFindings, judge_report


class ReportsAct:
    def __init__(self, observer: ReportObserver) -> None:
        self._observer = observer

    def judge(self, asked: Sequence[Asked]) -> ReportFindings:
        seen = self._observer.observe(asked)
        return ReportFindings(
            results=tuple(judge_report(each, seen[each.msg_id]) for each in asked),
            disorder=tuple(f"nobody asked for {stranger}" for stranger in self._observer.strangers(asked)),
        )
