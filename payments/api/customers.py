"""A customer's payments over HTTP. Whose they are decides what is there: other people's are answered like none."""

import uuid

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.module_loading import import_string
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments.api.documentation import IDEMPOTENCY, KEY_PROBLEMS, REUSED, problems
from payments.api.idempotent import REPLAYED, IdempotentView
from payments.api.serializers import (
    CreatePaymentSerializer,
    PaymentSerializer,
    StartedPaymentSerializer,
    VerifiedPaymentSerializer,
    VerifyPaymentSerializer,
)
from payments.buying.create import Caller, check_whether_over, create_payment
from payments.buying.verify import verify_payment
from payments.errors import PaymentFinished, PaymentNotFound
from payments.models import Payment
from payments.selectors import payments_of

_PROVIDER = "`provider_rejected`: YooKassa refused the request, staff are told."
_AWAY = "`provider_unavailable`: YooKassa does not answer; send the same request again. `payments_not_configured`."
_STORED = "`payment_not_stored`: a rule of the database refuses the new row."


class CreatePaymentView(IdempotentView):
    throttle_scope = "payments_create"

    def get_permissions(self) -> list[BasePermission]:
        return [import_string(path)() for path in settings.API_MONEY_PERMISSIONS]

    @extend_schema(
        operation_id="payments_create",
        summary="Start a payment",
        description=(
            "Answers the token for YooKassa's payment form. The amount must be the price of the catalogue. A pending "
            "row that the caller inserted for the same order a moment ago becomes the payment; a repeated call for the "
            "same order gets the payment that waits already, and a new one once that was declined. Send a new "
            "`Idempotency-Key` for each try of the payer: a key repeats the answer of its first request, and "
            "`payment_finished` once that payment was declined or paid."
        ),
        parameters=IDEMPOTENCY,
        request=CreatePaymentSerializer,
        responses={
            200: StartedPaymentSerializer,
            **problems(
                _400="The request is not valid: `amount_mismatch`, `unknown_appointment_type`, `unknown_package`, "
                "`appointment_type_mismatch`, `scheduled_in_the_past`, `receipt_contact_missing`, and others.",
                _403="`unknown_customer`: the user has no row in Supabase's table.",
                _404="`appointment_not_found`, `profile_not_found`: not the caller's.",
                _409="`already_paid`, `slot_taken`, `appointment_closed`, `payment_finished`, `payment_mismatch`. "
                + KEY_PROBLEMS,
                _422=REUSED,
                _502=_PROVIDER,
                _503=f"{_AWAY} {_STORED}",
            ),
        },
    )
    def post(self, request: Request) -> HttpResponse:
        answer = self.answer_once(request, caller_id(request), lambda: _create(request))
        if (
            REPLAYED in answer.headers
            and isinstance(answer, Response)
            and check_whether_over(answer.data["payment_id"])
        ):
            # The form of then takes no money any more.
            raise PaymentFinished
        return answer


def _create(request: Request) -> Response:
    asked = CreatePaymentSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    # The stubs know Django's users only; ours carries what the token says.
    email = str(getattr(request.user, "email", ""))
    started = create_payment(caller=Caller(caller_id(request), email), **asked.validated_data)
    return Response({"payment_id": str(started.payment_id), "confirmation_token": started.confirmation_token})


class VerifyPaymentView(APIView):
    throttle_scope = "payments_verify"

    @extend_schema(
        operation_id="payments_verify",
        summary="How a payment stands, asked at YooKassa",
        request=VerifyPaymentSerializer,
        responses={
            200: VerifiedPaymentSerializer,
            **problems(
                _404="`payment_not_found`: the caller has no such payment.",
                _409="`payment_mismatch`: what YooKassa has is another payment; support looks into it.",
                _502=_PROVIDER,
                _503=_AWAY,
            ),
        },
    )
    def post(self, request: Request) -> Response:
        asked = VerifyPaymentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        verified = verify_payment(payment_id=asked.validated_data["payment_id"], user_id=caller_id(request))
        row = {**PaymentSerializer(verified.payment).data, "status": verified.status}
        return Response({"status": verified.status, "payment": row})


class PaymentsView(generics.ListAPIView[Payment]):
    serializer_class = PaymentSerializer

    def get_queryset(self) -> QuerySet[Payment]:
        return payments_of(caller_id(self.request))

    @extend_schema(operation_id="payments_list", summary="The caller's payments, newest first")
    def get(self, request: Request) -> Response:
        return self.list(request)


class PaymentView(APIView):
    @extend_schema(
        operation_id="payments_retrieve",
        summary="One payment, as it was last seen",
        responses={200: PaymentSerializer, **problems(_404="`payment_not_found`: the caller has no such payment.")},
    )
    def get(self, request: Request, payment_id: uuid.UUID) -> Response:
        row = payments_of(caller_id(request)).filter(pk=payment_id).first()
        if row is None:
            raise PaymentNotFound
        return Response(PaymentSerializer(row).data)


def caller_id(request: Request) -> uuid.UUID:
    # The authentication that the settings name gives Supabase's user, whose id is a uuid; the stubs think of Django's.
    return uuid.UUID(str(request.user.pk))
