"""Why a report cannot be made. Ids are named in the texts, people never."""

from bridge.errors import PermanentError


class ReportError(Exception):
    """Base of what this package raises itself."""


class AssessmentMissing(ReportError, PermanentError):
    """There is no assessment with this id."""


class AssessmentNotCompleted(ReportError, PermanentError):
    """The assessment is still in progress, or was abandoned."""


class NotTheOwner(ReportError, PermanentError):
    """The assessment belongs to a profile of somebody else, or to no profile at all."""


class NotCalculatedYet(ReportError):
    """The assessment is completed, and its results are not stored yet: the attempt is repeated."""


class ReportTextsIncomplete(ReportError):
    """The file with the report's texts cannot be read or lacks something; the message names every gap."""


class TypesettingUnavailable(ReportError):
    """WeasyPrint or one of its libraries is not installed here; the system check names the packages."""
