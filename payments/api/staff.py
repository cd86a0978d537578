"""What staff may do over HTTP, with the session of the admin: a token of the front end proves nothing about rights."""

import uuid

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_202_ACCEPTED
from rest_framework.views import APIView

from payments.api.documentation import CSRF, IDEMPOTENCY, KEY_PROBLEMS, REUSED, problems
from payments.api.idempotent import HEADER, IdempotentView
from payments.api.serializers import AcceptedRefundSerializer, NewRefundSerializer, RefundSerializer
from payments.refunds.request import request_refund
from payments.states import Door
from staff.second_factor import may_act

# Keys are kept by customers' ids. Staff have numbers, so each gets an id that no customer has.
_STAFF_KEYS = uuid.UUID("6b3f5a0e-43c5-4d2c-9a0c-3f1f6a0d7c11")


class MayRefund(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return user.is_authenticated and user.is_staff and user.has_perm("payments.refund_payment")


class HasGivenCode(BasePermission):
    """Whoever needs a second factor has given a code in the admin, not too long ago."""

    code = "second_factor_needed"
    message = "Give a code of your second factor in the admin first"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return may_act(request)


class RefundPaymentView(IdempotentView):
    authentication_classes = (SessionAuthentication,)
    permission_classes = (MayRefund, HasGivenCode)

    @extend_schema(
        operation_id="payments_refund",
        summary="Refund a payment, in full or in part (staff)",
        description="Accepted, not yet made: it is sent to YooKassa in a moment. Without `amount` all that remains.",
        parameters=[*IDEMPOTENCY, CSRF],
        request=NewRefundSerializer,
        responses={
            202: AcceptedRefundSerializer,
            **problems(
                _403="No session of staff, no permission to refund, or no CSRF token. `second_factor_needed`: a code "
                "of the second factor has to be given in the admin first.",
                _404="`payment_not_found`: there is no such payment, or it was never started.",
                _409="`refund_refused`: not paid, more than what remains, or a part that no fiscal receipt can be made "
                "for. " + KEY_PROBLEMS,
                _422=REUSED,
            ),
        },
    )
    def post(self, request: Request, payment_id: uuid.UUID) -> HttpResponse:
        owner = uuid.uuid5(_STAFF_KEYS, str(request.user.pk))
        key = request.headers.get(HEADER)
        # A process may die after the refund is written and before its answer is kept: the same key, the same refund.
        refund_id = None if key is None else uuid.uuid5(owner, f"{payment_id} {key}")
        return self.answer_once(request, owner, lambda: _refund(request, payment_id, refund_id))


def _refund(request: Request, payment_id: uuid.UUID, refund_id: uuid.UUID | None) -> Response:
    asked = NewRefundSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    refund = request_refund(
        payment_id=payment_id,
        actor_id=request.user.pk,
        door=Door.STAFF,
        refund_id=refund_id,
        **asked.validated_data,
    )
    return Response({"refund": RefundSerializer(refund).data}, HTTP_202_ACCEPTED)
