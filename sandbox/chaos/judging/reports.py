"""Invariant 4: what was asked for is there, each report has its object, as it was made, and no object is unknown."""

from collections.abc import Iterator

from sandbox.chaos.books import Books
from sandbox.chaos.judging.found import Invariant, Violation


def judge_reports(books: Books) -> Iterator[Violation]:
    for report in books.reports:
        about = f"report {report.id}"
        if report.status != "stored":
            yield Violation(Invariant.REPORT, about, f"it was not made: {report.status}")
        if report.key and report.key not in books.objects:
            yield Violation(Invariant.REPORT, about, "its object is not in the storage")
        elif report.key and books.objects[report.key] != report.sha256:
            yield Violation(Invariant.REPORT, about, "its object is not the document that was made")
        if report.status == "stored" and not report.key:
            yield Violation(Invariant.REPORT, about, "it counts as stored and has no object")
    keys = [report.key for report in books.reports if report.key]
    for key in {key for key in keys if keys.count(key) > 1}:
        yield Violation(Invariant.REPORT, f"object {key}", "several reports point to it")
    made = {report.about for report in books.reports if report.status == "stored"}
    for message in books.messages:
        if message.report and message.outcome in ("succeeded", "duplicate") and message.report not in made:
            about = f"{message.queue} {message.msg_id}"
            yield Violation(Invariant.REPORT, about, "it counts as done, and the report that it asked for is not there")
    for key in sorted(books.objects.keys() - {*keys} - books.leftovers):
        yield Violation(Invariant.REPORT, f"object {key}", "no report points to it, and nobody noted that it has to go")
