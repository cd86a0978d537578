"""`POST /api/webhook/mail/<provider>`: a provider tells what became of mails of ours.

It repeats what is not answered with 2xx, for hours or days. So that is said for all that a repeat would not change,
what is about no mail of ours included, and 503 while it cannot be written down. Whoever cannot prove to be the provider
is refused before anything of the body is used, and nothing of it is ever logged: it names our clients.
"""

import logging

from django.db import ProgrammingError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from psycopg2.errors import UndefinedTable

from bridge.pgmq import POSTGRES_AWAY
from bridge.problem import problem
from bridge.seldom import FewAnHour, Seldom
from notifications.tracking.providers import NotProven, Provider, provider_that_tells, words_in
from notifications.tracking.store import store_words

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 60

_refused, _seldom = FewAnHour(10), Seldom()


@csrf_exempt
@require_http_methods(["POST", "HEAD", "GET"])
def receive_words(request: HttpRequest, provider: str) -> HttpResponse:
    """200 once it is written down or need not be, 403 for strangers, 404 where nobody may call, 413, 503 for later."""
    teller = provider_that_tells(provider)
    if teller is None:
        return problem(404, "not_found", "There is nothing at this address")
    if request.method != "POST":
        # Unisender Go asks so whether the address is right, before it uses it.
        return HttpResponse()
    try:
        # A body above DATA_UPLOAD_MAX_MEMORY_SIZE is not read, and answered with 413 by a middleware.
        teller.prove(request)
    except UnreadablePostError:
        return problem(400, "bad_request", "The body could not be read")
    except NotProven as why:
        number = _refused.tell(provider)
        if number is not None:
            logger.warning("a call to the webhook of %s was refused: %s%s", provider, why, number)
        return problem(403, "sender_not_allowed", "Only the mail provider is heard here")
    return _take(provider, teller, request)


def _take(name: str, teller: Provider, request: HttpRequest) -> HttpResponse:
    words, odd = words_in(teller, request)
    if odd and (number := _seldom.tell(name)):
        logger.warning("%s calls of %s held something that is not spelled as theirs are", number, name)
    try:
        unknown = store_words(name, words)
    except (*POSTGRES_AWAY, ProgrammingError) as error:
        # An outage ends, and so does the time between the start of a new version and its migration.
        if isinstance(error, ProgrammingError) and not isinstance(error.__cause__, UndefinedTable):
            raise
        logger.warning("%s words of %s could not be written down: %s", len(words), name, type(error).__name__)
        later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        answer = problem(503, "not_stored", "It could not be written down; send it again", later)
        # That was the line about it; Django would write an error for each 5xx.
        answer._has_been_logged = True  # type: ignore[attr-defined]
        return answer
    return JsonResponse({"received": len(words), "unknown": unknown})
