"""`POST /api/webhook/yookassa`: stores a notification and answers in milliseconds. A task asks the provider later.

The provider repeats a notification for 24 hours until the answer is 200. So that is said exactly when the notification
and its check are committed; whatever is our own fault or a wrong set-up of proxies gets another answer and is repeated.
"""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from bridge.pgmq import POSTGRES_AWAY, QueueMissing
from bridge.problem import problem
from bridge.seldom import HourlyCount
from payments.webhook.journal import ALREADY_KNOWN
from payments.webhook.notice import InvalidNotice, Notice, NoticeFault
from payments.webhook.sender import (
    LOGGED_THEN_EVERY,
    MOST_LOGGED_AN_HOUR,
    MOST_STORED_AN_HOUR,
    Address,
    is_trusted,
    sender_address,
)
from payments.webhook.store import store_notification, store_refused

logger = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 30

FAULTS: dict[NoticeFault, str] = {
    NoticeFault.NOT_JSON: "the body is not JSON",
    NoticeFault.NO_NOTIFICATION: 'the body must be a JSON object with "type": "notification"',
    NoticeFault.NO_EVENT: '"event" must be a name such as payment.succeeded',
    NoticeFault.NO_OBJECT: '"object" must be an object with an "id"',
}

_strangers, _unchecked = HourlyCount(), HourlyCount()


@csrf_exempt
@require_POST
def receive_notification(request: HttpRequest) -> HttpResponse:
    """Answer 200 once the notification is stored, 400 and 413 for what is none, 403 for a stranger's, 503 for later."""
    if _length(request) > MOST_BYTES:
        return _problem(413, "payload_too_large", f"A notification has at most {MOST_BYTES} bytes")
    try:
        # An error for bytes that are no UTF-8 is a ValueError.
        body = request.body.decode()
    except (UnreadablePostError, ValueError):
        body = ""
    address = sender_address(request.META)
    if address is None or not is_trusted(address, settings.YUKASSA_NOTIFICATION_NETWORKS):
        return _refuse(address, body)
    try:
        notice = Notice.parse(body)
    except InvalidNotice as error:
        why = FAULTS[error.fault]
        logger.warning("what YooKassa's address %s sent is no notification: %s", address, why)
        return _problem(400, error.code, why)
    return _store(address, notice, body)


def _store(address: Address, notice: Notice, body: str) -> HttpResponse:
    try:
        unchecked = store_notification(notice, address=str(address), body=body)
    except (*POSTGRES_AWAY, QueueMissing) as error:
        # YooKassa repeats it for a day. An outage ends by itself; a queue that is missing does not.
        level = logging.ERROR if isinstance(error, QueueMissing) else logging.WARNING
        logger.log(level, "a notification (%s, %s) could not be stored: %s", notice.event, notice.object_id, error)
        later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        answer = _problem(503, "not_stored", "The notification could not be stored; send it again", later)
        # That was the line about it; Django would write an error for each 5xx.
        answer._has_been_logged = True  # type: ignore[attr-defined]
        return answer
    if unchecked and unchecked != ALREADY_KNOWN and _unchecked.next() <= MOST_LOGGED_AN_HOUR:
        # Other systems of the same shop have payments, payouts and deals of their own; the journal has the first of
        # each hour.
        logger.info("a notification (%s, %s) is not checked: %s", notice.event, notice.object_id, unchecked)
    return JsonResponse({"received": True})


def _refuse(address: Address | None, body: str) -> HttpResponse:
    """Answer 403. A wrong proxy set-up ends here as well, and loses nothing: the provider repeats for 24 hours."""
    number = _strangers.next()
    if number <= MOST_LOGGED_AN_HOUR or number % LOGGED_THEN_EVERY == 0:
        logger.warning(
            "a notification from %s was refused, number %s of this hour here: that is none of YooKassa's addresses. "
            "If it is a proxy of yours, name it in TRUSTED_PROXIES; if YooKassa has a new address, add it to "
            "YUKASSA_NOTIFICATION_NETWORKS",
            address or "an unknown address",
            number,
        )
    if address is not None and number <= MOST_STORED_AN_HOUR:
        try:
            store_refused(Notice.parse(body), address=str(address), body=body)
        except InvalidNotice:
            logger.info("what was refused is no notification either, so it is not kept")
        except POSTGRES_AWAY as error:
            logger.warning("the refused notification could not be kept: %s", error)
    return _problem(403, "sender_not_allowed", "Notifications are taken from YooKassa only")


def _length(request: HttpRequest) -> int:
    """What the request announces; without that, no body is read at all."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _problem(status: int, code: str, error: str, headers: dict[str, str] | None = None) -> HttpResponse:
    response = problem(status, code, error, headers)
    # Behind a proxy that is not named yet YooKassa is a stranger among others, and is to be told what it is told here.
    response.counts_strangers = True  # type: ignore[attr-defined]
    return response
