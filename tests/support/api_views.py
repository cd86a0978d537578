"""Views that fail in each way a view can, under the API's own wiring: the `ROOT_URLCONF` of the tests of the API."""

from collections.abc import Callable
from typing import Any

import psycopg2.errors
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bridge.pgmq import QueueMissing
from bridge.trace import current_trace_id

INNER = "inner detail: password=geheim"


class SlotTaken(exceptions.APIException):
    status_code = 409
    default_code = "slot_taken"
    default_detail = "The time is taken"


class ProviderAway(exceptions.APIException):
    status_code = 502
    default_code = "provider_unavailable"
    default_detail = "The payment provider does not answer"
    retry_after = 7.2


class AmountMismatch(exceptions.ValidationError):
    default_code = "amount_mismatch"


def deadlock() -> Exception:
    error = OperationalError(f"deadlock detected\n{INNER}")
    error.__cause__ = psycopg2.errors.DeadlockDetected()
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "domain": SlotTaken,
    "provider": ProviderAway,
    "mismatch": lambda: AmountMismatch({"amount": ["The price is 5000.00"]}),
    "throttled": lambda: exceptions.Throttled(wait=11.5),
    "not-found": lambda: exceptions.NotFound("Payment not found"),
    "http404": lambda: Http404(INNER),
    "forbidden": lambda: PermissionDenied(INNER),
    "database": deadlock,
    "connection": lambda: InterfaceError(INNER),
    "read-only": lambda: InternalError(INNER),
    "no-queue": lambda: QueueMissing(INNER),
    "bug": lambda: RuntimeError(INNER),
}


class MoneySerializer(serializers.Serializer[Any]):
    amount = serializers.DecimalField(max_digits=9, decimal_places=2)
    currency = serializers.ChoiceField(choices=["RUB"])
    items = serializers.ListField(child=serializers.IntegerField(), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["amount"] == 13:
            raise serializers.ValidationError("That does not go together.", code="unlucky")
        return attrs


class EchoView(APIView):
    """Tells who calls and what was understood."""

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk), "email": getattr(request.user, "email", None)})

    def post(self, request: Request) -> Response:
        serializer = MoneySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response({"amount": str(serializer.validated_data["amount"])})


class OpenView(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response({"trace": current_trace_id(), "address": request.META["CLIENT_ADDRESS"]})


class RaisingView(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request, kind: str) -> Response:
        raise ERRORS[kind]()


class MoneyView(APIView):
    throttle_scope = "payments_create"

    def get_permissions(self) -> list[BasePermission]:
        paths = ("rest_framework.permissions.IsAuthenticated", "balansity.api.live_session.RequiresLiveSession")
        return [import_string(dotted)() for dotted in paths]

    def post(self, request: Request) -> Response:
        return Response({"moved": True})


class StaffView(APIView):
    authentication_classes = (SessionAuthentication,)

    def post(self, request: Request) -> Response:
        return Response({"staff": request.user.pk})


@csrf_exempt
def plain(request: HttpRequest, kind: str) -> HttpResponse:
    if kind == "body":
        return HttpResponse(str(len(request.body)))
    if kind == "query":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    if kind == "json":
        return JsonResponse({"error": "as the view says"}, status=418)
    raise ERRORS[kind]()


def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("posted")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("balansity.api.urls")),
    path("api/echo", EchoView.as_view()),
    path("api/open", OpenView.as_view()),
    path("api/raise/<str:kind>", RaisingView.as_view()),
    path("api/money", MoneyView.as_view()),
    path("api/staff", StaffView.as_view()),
    path("api/plain/<str:kind>", plain),
    path("api/guarded", guarded),
    path("page/<str:kind>", plain),
]
