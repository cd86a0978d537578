"""What the HTTP API answers when a report cannot be had. The texts are for front-end developers."""

from rest_framework import status
from rest_framework.exceptions import APIException


class AssessmentNotFound(APIException):
    """Also for somebody else's assessment: whether it exists is nobody's business."""

    status_code = status.HTTP_404_NOT_FOUND
    default_code = "assessment_not_found"
    default_detail = "Assessment not found"


class AssessmentUnfinished(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "assessment_not_completed"
    default_detail = "The assessment is not completed"


class ReportNotReady(APIException):
    """The report has no document yet. `retry_after` (seconds) is set while one is on its way."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "report_not_ready"
    default_detail = "The report is not ready yet"

    def __init__(self, *, retry_after: int | None) -> None:
        super().__init__()
        self.retry_after = retry_after


class LinkExpired(APIException):
    status_code = status.HTTP_410_GONE
    default_code = "link_expired"
    default_detail = "The link has expired: sign in to get the report"


class LinkInvalid(APIException):
    status_code = status.HTTP_403_FORBIDDEN
    default_code = "link_invalid"
    default_detail = "The link is not valid"


class FileUnavailable(APIException):
    """The storage cannot be reached, or does not give back what was put into it."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "storage_unavailable"
    default_detail = "The report's file is not available right now"
    retry_after = 30
