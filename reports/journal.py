"""How the bridge keeps the reports in step, in workers and in its own process."""

from datetime import datetime

from bridge.message import LastError, Message, Reason
from reports.services import fail_report, postpone_report


class ReportJournal:
    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        postpone_report(message=message, error=error, next_retry_at=next_retry_at)

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        fail_report(message=message, reason=reason, error=error)
