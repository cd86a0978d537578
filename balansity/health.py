"""`GET /health`: what a load balancer asks."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say that this web process answers. It touches no database: a restart would not mend one that is down."""
    return JsonResponse({"status": "ok", "service": "balansity-api"})
