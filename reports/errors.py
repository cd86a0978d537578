"""Why a report cannot be made, or cannot be had. Ids are named in the texts, people never.

The texts are for logs and for the history of a message. `reports.api.problems` words what front-end developers read,
`reports.admin` and `reports.advice` what staff do.
"""

from bridge.errors import CodedError, PermanentError


class ReportError(CodedError):
    """Base of what this package raises itself."""

    code = "report_error"


class AssessmentMissing(ReportError, PermanentError):
    """There is no such assessment. Also for somebody else's, to whom asks for it: whether it exists is not theirs."""

    code = "assessment_not_found"


class AssessmentNotCompleted(ReportError, PermanentError):
    """The assessment is still in progress, or was abandoned."""

    code = "assessment_not_completed"


class NotTheOwner(ReportError, PermanentError):
    """The assessment belongs to a profile of somebody else, or to no profile at all."""

    code = "assessment_of_another"


class NotCalculatedYet(ReportError):
    """The assessment is completed, and its results are not stored yet: the attempt is repeated."""

    code = "not_calculated_yet"


class ReportTextsIncomplete(ReportError):
    """The file with the report's texts cannot be read or lacks something; the message names every gap."""

    code = "report_texts_incomplete"


class TypesettingUnavailable(ReportError):
    """WeasyPrint or one of its libraries is not installed here; the system check names the packages."""

    code = "typesetting_unavailable"


class ReportNotReady(ReportError):
    """The report has no document yet. `retry_after` (seconds) is set while one is on its way."""

    code = "report_not_ready"

    def __init__(self, *, retry_after: int | None) -> None:
        super().__init__()
        self.retry_after = retry_after


class LinkExpired(ReportError):
    """The link was made here, longer ago than it works."""

    code = "link_expired"


class LinkInvalid(ReportError):
    """The link was not made here for this report."""

    code = "link_invalid"


class FileUnavailable(ReportError):
    """The storage cannot be reached, or does not give back what was put into it."""

    code = "storage_unavailable"
