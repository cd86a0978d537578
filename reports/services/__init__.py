"""What happens to reports, one use case a function. Only these open transactions; none of them does HTTP or PDF."""

from reports.services.outcomes import fail_report, postpone_report, start_report, store_report
from reports.services.requests import request_report

__all__ = ["fail_report", "postpone_report", "request_report", "start_report", "store_report"]
