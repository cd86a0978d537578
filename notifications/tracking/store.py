"""Writes the words of providers down: in whichever order they come, and however often, the same stays.

A word may come before the row of its mail says what the provider calls it, so it is written down by that name; `match`
joins the two later.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from bridge.seldom import Seldom
from notifications.models import Arrival, EmailMessage, Tracking
from notifications.tracking.words import Word

logger = logging.getLogger(__name__)

# Mails of others who share our account: each of their words is one about nothing of ours.
MOST_UNKNOWN_AN_HOUR = 5000
UNKNOWN_STAY = timedelta(days=1)
BATCH = 1000
_RANKS = {arrival: rank for rank, arrival in enumerate(Arrival)}
_seldom = Seldom()

_STORE = """
INSERT INTO notifications_tracking AS known
    (provider, provider_message_id, email_id, arrival, why, detail, at, received_at)
SELECT %s, told.* FROM unnest(
    %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]
) AS told
ON CONFLICT (provider, provider_message_id) DO UPDATE SET
    arrival = excluded.arrival, why = excluded.why, detail = excluded.detail, at = excluded.at,
    received_at = excluded.received_at, email_id = COALESCE(known.email_id, excluded.email_id)
WHERE (array_position({ranks}, excluded.arrival::text), excluded.at, excluded.why, excluded.detail)
    > (array_position({ranks}, known.arrival::text), known.at, known.why, known.detail)
""".format(ranks="ARRAY[" + ", ".join(f"'{arrival.value}'" for arrival in Arrival) + "]")
_MATCH = """
UPDATE notifications_tracking AS known SET email_id = mail.id
FROM notifications_emailmessage AS mail
WHERE known.email_id IS NULL AND mail.provider = known.provider
  AND mail.provider_message_id = known.provider_message_id AND mail.provider IN ('resend', 'sendgrid', 'unisender_go')
"""


def store_words(provider: str, words: Iterable[Word]) -> int:
    """Write down what was said; returns how much of it was about mails that are not known (yet)."""
    latest: dict[str, Word] = {}
    for word in words:
        before = latest.get(word.id)
        if before is None or _weight(word) > _weight(before):
            latest[word.id] = word
    if not latest:
        return 0
    mails = EmailMessage.objects.filter(provider=provider, provider_message_id__in=latest)
    known = dict(mails.order_by("pk").values_list("provider_message_id", "pk"))
    unknown = [id_ for id_ in latest if id_ not in known]
    for id_ in unknown[_room_for_unknown() if unknown else 0 :]:
        del latest[id_]
    now = timezone.now()
    # In one order, as two calls about the same mails would wait for each other.
    rows = [
        (id_, known.get(id_), word.arrival.value, str(word.why), word.detail, word.at, now)
        for id_, word in sorted(latest.items())
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_STORE, [provider, *(list(column) for column in zip(*rows, strict=True))])
    if unknown and (number := _seldom.tell("unknown")):
        logger.info("%s words of %s were about mails that are not known here (yet)", number, provider)
    return len(unknown)


def match_words() -> int:
    """Join words to mails that were written down after them, and forget those about nothing of ours after a day."""
    with connection.cursor() as cursor:
        cursor.execute(_MATCH)
        matched = int(cursor.rowcount)
    old = Tracking.objects.filter(email__isnull=True, received_at__lt=timezone.now() - UNKNOWN_STAY)
    while True:
        batch = list(old.values_list("pk", flat=True)[:BATCH])
        Tracking.objects.filter(pk__in=batch, email__isnull=True).delete()
        if len(batch) < BATCH:
            return matched


def _weight(word: Word) -> tuple[object, ...]:
    return (_RANKS[word.arrival], word.at, word.why, word.detail)


def _room_for_unknown() -> int:
    hour = Tracking.objects.filter(email__isnull=True, received_at__gt=timezone.now() - timedelta(hours=1))
    return max(0, MOST_UNKNOWN_AN_HOUR - hour[:MOST_UNKNOWN_AN_HOUR].count())
