"""The digest of a day: once, at eight in Moscow or as soon as it can be after that, and only if it says something."""

import logging

from django.db import transaction
from django.utils import timezone

from balansity.telling.texts import open_lines
from notifications.models import StaffNotice
from notifications.staff_notices import make_notice, note_once, staff
from wording.russian import MOSCOW

logger = logging.getLogger(__name__)

KIND = "digest"
# In Moscow, whose clock is three hours ahead of UTC all the year.
FIRST_HOUR, LAST_HOUR = 8, 20


def tell_digest() -> bool:
    """Queue the digest of today, if it is time and nobody has; tells whether it did.

    A day on which nothing needs anybody at its hour is noted as well, so that it gets no digest in the afternoon.
    """
    now = timezone.now().astimezone(MOSCOW)
    if not staff() or not FIRST_HOUR <= now.hour < LAST_HOUR:
        return False
    day = now.date().isoformat()
    if StaffNotice.objects.filter(kind=KIND, key=day).exists():
        return False
    lines = open_lines()
    with transaction.atomic():
        told = (make_notice if lines else note_once)(KIND, day) is not None and bool(lines)
    if told:
        logger.info("the digest of %s is queued: %s lines", day, len(lines))
    return told
