"""What beat asks of the wiring itself."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from balansity.door.sessions import SessionStore
from balansity.metrics.collector import all_counts
from balansity.models import LoginAttempt
from balansity.telling import digest, incidents
from bridge.counted import count_rows as count_them

logger = logging.getLogger(__name__)

LOGIN_DAYS = 90


@shared_task(name="balansity.forget_old_logins")
def forget_old_logins() -> None:
    """Delete attempts to log in and incidents that are older than 90 days, and sessions that ended."""
    forgotten, _ = LoginAttempt.objects.filter(at__lt=timezone.now() - timedelta(days=LOGIN_DAYS)).delete()
    SessionStore.clear_expired()
    incidents.forget_incidents()
    if forgotten:
        logger.info("%s old attempts to log in were deleted", forgotten)


@shared_task(name="balansity.tell_incidents")
def tell_incidents() -> None:
    """Tell staff of what has begun and what has ended: services, processes, money."""
    incidents.look()


@shared_task(name="balansity.tell_digest")
def tell_digest() -> None:
    """Tell staff what needs them, once a day."""
    digest.tell_digest()


@shared_task(name="balansity.count_rows")
def count_rows() -> None:
    """Count mails, payments, refunds, reports by status, for `/metrics`, where nobody waits for a million rows.

    Nothing without a token: then there is no such page.
    """
    if settings.METRICS_TOKEN:
        count_them(all_counts())
