"""The calls that the real front end makes to Supabase itself, as far as the shop needs them."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.decorators import api_view, permission_classes, schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from sandbox.shop import window
from sandbox.tokens import access_token

_INSERT = """
INSERT INTO public.payments (id, user_id, amount, currency, status, payment_method, metadata)
VALUES (%s, %s, %s, %s, 'pending', 'yookassa', %s::jsonb)
"""


class SignInSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()


class PaymentRowSerializer(serializers.Serializer[Any]):
    """What the browser writes into `public.payments`. As with the real one, nobody compares it with the catalogue."""

    amount = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=Decimal("0.01"))
    currency = serializers.CharField(max_length=3)
    metadata = serializers.JSONField()


@api_view(["POST"])
@schema(None)
@permission_classes([AllowAny])
def sign_in(request: Request) -> Response:
    """Give the access token of one of the sandbox's families, as Supabase gives it for a password."""
    asked = SignInSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    for family in window.families():
        if family.user_id == asked.validated_data["user_id"]:
            return Response({"access_token": access_token(family.user_id, email=family.email), **asdict(family)})
    raise NotFound("No such family")


@api_view(["GET"])
@schema(None)
def offers(request: Request) -> Response:
    """What is on sale, for whom in the family it can be, and whose results are there."""
    user_id = _caller(request)
    shown: dict[str, list[Any]] = {
        "consultations": window.consultations(timezone.now()),
        "packages": window.packages(),
        "members": window.members(user_id),
        "assessments": window.assessments(user_id),
    }
    return Response({name: [asdict(item) for item in items] for name, items in shown.items()})


@api_view(["POST"])
@schema(None)
def insert_payment(request: Request) -> Response:
    """Insert a pending row of the caller's own, as the front end does just before it calls `/api/payments/create`."""
    asked = PaymentRowSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    payment_id, row = uuid4(), asked.validated_data
    metadata = json.dumps(row["metadata"], cls=DjangoJSONEncoder)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, [payment_id, _caller(request), row["amount"], row["currency"], metadata])
    return Response({"id": payment_id}, status=status.HTTP_201_CREATED)


@api_view(["GET"])
@schema(None)
def bought(request: Request, payment_id: UUID) -> Response:
    """What one of the caller's payments brought so far."""
    found = window.bought(payment_id, user_id=_caller(request))
    if found is None:
        raise NotFound
    return Response(asdict(found))


def _caller(request: Request) -> UUID:
    return UUID(str(request.user.pk))
