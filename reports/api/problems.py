"""What the API answers for each error of the reports: status, code, and a sentence for front-end developers."""

from dataclasses import dataclass

from rest_framework.exceptions import APIException

from reports.errors import (
    AssessmentMissing,
    AssessmentNotCompleted,
    FileUnavailable,
    LinkExpired,
    LinkInvalid,
    ReportNotReady,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The code is the error's own. An error that names a `retry_after` itself has the last word about it."""

    status: int
    detail: str
    retry_after: float | None = None


ANSWERS: dict[type[Exception], Answer] = {
    LinkInvalid: Answer(403, "The link is not valid"),
    AssessmentMissing: Answer(404, "Assessment not found"),
    AssessmentNotCompleted: Answer(409, "The assessment is not completed"),
    ReportNotReady: Answer(409, "The report is not ready yet"),
    LinkExpired: Answer(410, "The link has expired: sign in to get the report"),
    FileUnavailable: Answer(503, "The report's file is not available right now", retry_after=30),
}


class ApiProblem(APIException):
    """What DRF's views end with, as the handler of the project reads it."""

    def __init__(self, answer: Answer, *, code: str, retry_after: float | None) -> None:
        super().__init__(answer.detail, code)
        self.status_code, self.retry_after = answer.status, retry_after


def api_exception(error: Exception) -> APIException | None:
    """The answer to an error of the reports, or `None` for one that no caller is told about."""
    answer = next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), None)
    if answer is None:
        return None
    wait = getattr(error, "retry_after", answer.retry_after)
    return ApiProblem(answer, code=str(getattr(error, "code", "")), retry_after=wait)
