"""Whose turn it is to ask YooKassa: about one payment once in a few seconds, whoever wants to know.

Anybody may fill the queue, a payer's browser asks as often as it likes, and YooKassa limits the questions of a shop:
who uses them up keeps the real checks and the refunds from theirs. So a question takes the payment's turn first, in one
statement, whatever process it is in. Whoever comes too early waits if it is a message, and hears what is known if not.

What we know to be newer than the last question does not wait for all of that time: a notification of YooKassa's, a
refund that staff asked for. Each of them is good for one question.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from payments.errors import AskedLately, NotTheirs, ProviderMismatch, UnclearClaim
from payments.models import Turn

# In pauses: how soon news may follow a question, and for how long it is remembered that a payment is not a row's.
NEWS, REMEMBERED = 0.2, 12
KEPT_FOR = timedelta(hours=1)
_REFUSALS: dict[str, type[ProviderMismatch]] = {kind.__name__: kind for kind in (NotTheirs, UnclearClaim)}

# The newer of what the caller knows of, and a refund that waits to be sent.
_NEWS_AT = """greatest(%(news_at)s::timestamptz, (
    SELECT max(created_at) FROM payments_refund WHERE payment_id = %(refunds_of)s::uuid AND status = 'requested'))"""
_TAKE = f"""
INSERT INTO payments_turn AS turn (key, taken_at) VALUES (%(key)s, clock_timestamp())
ON CONFLICT (key) DO UPDATE SET taken_at = clock_timestamp(), refused = '', refused_as = ''
WHERE turn.taken_at <= clock_timestamp() - make_interval(
        secs => CASE WHEN turn.refused_as = '' THEN %(pause)s ELSE %(remembered)s END)
   OR (turn.taken_at < {_NEWS_AT} AND turn.taken_at <= clock_timestamp() - make_interval(secs => %(news)s))
RETURNING key
"""  # noqa: S608 # Of this module.
_FREE_IN = f"""
SELECT refused_as, refused, extract(epoch FROM taken_at - clock_timestamp())::float8
        + CASE WHEN taken_at < {_NEWS_AT} THEN %(news)s ELSE %(pause)s END
FROM payments_turn WHERE key = %(key)s
"""  # noqa: S608 # Of this module.


def take_turn(payment_id: uuid.UUID, *, news_at: datetime | None = None, refunds_are_news: bool = False) -> None:
    """Take the turn to ask about a payment; `news_at` is when we learned that something has happened to it.

    With `refunds_are_news` so is that staff asked for a refund, until it is sent. Raises `AskedLately` when the turn
    comes later, and again what `remember_refusal` was told a moment ago.
    """
    _take(str(payment_id), news_at=news_at, refunds_of=payment_id if refunds_are_news else None)


def take_turn_of_claims(user_id: uuid.UUID) -> None:
    """Take the turn to ask about any older payment that a customer's rows claim: they write as many as they like."""
    _take(f"claims of {user_id}")


def take_turn_anyway(payment_id: uuid.UUID) -> None:
    """Let the others wait for a question that does not, as somebody is about to pay."""
    if settings.YUKASSA_ASK_PAUSE_SECONDS:
        now = timezone.now()
        Turn.objects.update_or_create(pk=str(payment_id), defaults={"taken_at": now, "refused": "", "refused_as": ""})


def remember_refusal(payment_id: uuid.UUID, error: ProviderMismatch) -> None:
    """Answer whoever asks next that the payment at YooKassa is not this row's, without asking there."""
    kind = type(error).__name__
    if kind in _REFUSALS:
        Turn.objects.filter(pk=str(payment_id)).update(refused=str(error), refused_as=kind)


def forget_turns() -> None:
    """Remove what tells nothing any more."""
    Turn.objects.filter(taken_at__lt=timezone.now() - KEPT_FOR).delete()


def _take(key: str, *, news_at: datetime | None = None, refunds_of: uuid.UUID | None = None) -> None:
    pause = settings.YUKASSA_ASK_PAUSE_SECONDS
    if not pause:
        return
    values: dict[str, Any] = {
        "key": key,
        "pause": pause,
        "news_at": news_at,
        "refunds_of": refunds_of,
        "news": pause * NEWS,
        "remembered": pause * REMEMBERED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        if cursor.fetchone() is not None:
            return
        cursor.execute(_FREE_IN, values)
        refused_as, refused, seconds = cursor.fetchone() or ("", "", 0.0)
    if refused_as in _REFUSALS:
        raise _REFUSALS[refused_as](refused)
    raise AskedLately(f"YooKassa was asked about {key} a moment ago", seconds=max(seconds, pause * NEWS / 10))
