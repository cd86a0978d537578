"""`GET /health`: what a load balancer asks."""

from django.http import HttpRequest, HttpResponsePermanentRedirect, JsonResponse
from django.middleware.common import CommonMiddleware
from django.views.decorators.http import require_safe

from balansity.behind_proxy import HEALTH

# Prometheus writes the name of a container, and shows a token.
METRICS = "/metrics"
# Whoever asks through a proxy tells by this that it is us who answered.
SERVICE = "balansity-api"


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say that this web process answers. It touches no database: a restart would not mend one that is down."""
    return JsonResponse({"status": "ok", "service": SERVICE})


class HostIsChecked(CommonMiddleware):
    """Django's own, which refuses whoever writes another host than ours, but nobody who asks how we are.

    Load balancers and Docker write the address of a container, and the answer makes nothing of it.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        if request.path_info in (HEALTH, METRICS) or request.path_info.startswith(f"{HEALTH}/"):
            return None
        return super().process_request(request)
