"""`GET /metrics`: what Prometheus and its like ask, with `METRICS_TOKEN`. Where none is set there is no such page."""

import re
import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import choose_encoder

from balansity.metrics.collector import registry

_BEARER = re.compile(r"Bearer +(\S+) *", re.IGNORECASE)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _is_known(request.headers.get("Authorization", "")):
        return HttpResponse("A token is needed.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry()), content_type)


def _is_known(header: str) -> bool:
    given = _BEARER.fullmatch(header)
    token = given[1] if given else ""
    return secrets.compare_digest(token.encode("utf-8", "replace"), settings.METRICS_TOKEN.encode())
