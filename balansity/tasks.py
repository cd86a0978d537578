"""What beat asks of the wiring itself."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from balansity.door.sessions import SessionStore
from balansity.models import LoginAttempt

logger = logging.getLogger(__name__)

LOGIN_DAYS = 90


@shared_task(name="balansity.forget_old_logins")
def forget_old_logins() -> None:
    """Delete attempts to log in that are older than 90 days, and sessions that ended."""
    forgotten, _ = LoginAttempt.objects.filter(at__lt=timezone.now() - timedelta(days=LOGIN_DAYS)).delete()
    SessionStore.clear_expired()
    if forgotten:
        logger.info("%s old attempts to log in were deleted", forgotten)
