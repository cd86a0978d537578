"""How the bridge keeps the mail log in step, in workers and in its own process."""

from datetime import datetime

from bridge.message import LastError, Message, Reason
from notifications.mail_log import mark_failed, mark_retrying


class EmailJournal:
    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        mark_retrying(message, error, next_retry_at)

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        mark_failed(message, reason, error)
