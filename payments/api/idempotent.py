"""How a view honours `Idempotency-Key`."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bridge.trace import current_trace_id
from payments.api.problems import TOLD, api_exception
from payments.errors import InvalidIdempotencyKey
from payments.idempotency import Answer, Claim, claim_key, keep_answer, release_key

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PROBLEM = "application/problem+json"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotentView(APIView):
    """A view whose work is done once for each key of a user."""

    def answer_once(self, request: Request, user_id: uuid.UUID, work: Callable[[], Response]) -> HttpResponse:
        """Return what `work` returns, or what it returned or refused with when the same request came before."""
        key = request.headers.get(HEADER)
        if key is None:
            return work()
        if not _KEY.fullmatch(key):
            raise InvalidIdempotencyKey
        claimed = claim_key(user_id=user_id, key=key, fingerprint=_fingerprint(request))
        return _replay(claimed) if isinstance(claimed, Answer) else self._work(claimed, work)

    def _work(self, claim: Claim, work: Callable[[], Response]) -> HttpResponse:
        # Neither of what follows the work raises, so its result or its error is what the caller gets.
        try:
            response = work()
            keep_answer(claim, Answer(response.status_code, json.loads(JSONRenderer().render(response.data))))
        except TOLD as error:
            told = api_exception(error) or error
            if isinstance(told, APIException) and told.status_code < 500:
                # The handler that the settings name answers in JSON, and for each error of the API.
                refused = self.get_exception_handler()(told, self.get_exception_handler_context())
                if refused is not None:
                    keep_answer(claim, Answer(refused.status_code, json.loads(refused.content)))
            raise
        finally:
            release_key(claim)
        return response


def _fingerprint(request: Request) -> str:
    """Of what is asked for, and not of how it is written: a client may order the members as it likes."""
    asked = json.dumps([request.method, request.path_info, request.data], sort_keys=True, default=str)
    return hashlib.sha256(asked.encode()).hexdigest()


def _replay(answer: Answer) -> HttpResponse:
    body: Any = answer.body
    headers = {REPLAYED: "true"}
    if answer.status < 400:
        return Response(body, answer.status, headers=headers)
    content = json.dumps({**body, "request_id": current_trace_id()}, ensure_ascii=False)
    return HttpResponse(content, status=answer.status, content_type=PROBLEM, headers=headers)
