"""Notifications as YooKassa posts them, and what the answers must look like."""

import json
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.test import Client

from payments.models import PaymentEvent, ProviderNotification
from payments.states import NotificationStatus
from tests.support.checkouts import queued_checks

URL = "/api/webhook/yookassa"
YOOKASSA = "185.71.76.5"
STRANGER = "198.51.100.7"


def notification(event: str, object_id: str | None, **found: Any) -> bytes:
    return json.dumps({"type": "notification", "event": event, "object": {"id": object_id, **found}}).encode()


def post(body: bytes, *, sender: str = YOOKASSA, headers: dict[str, str] | None = None) -> HttpResponse:
    client = Client(REMOTE_ADDR=sender, headers=headers)
    return client.post(URL, body, content_type="application/json")  # type: ignore[return-value]


def assert_problem(response: HttpResponse, status: int, code: str) -> None:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = json.loads(response.content)
    assert (body["status"], body["code"], body["title"]) == (status, code, HTTPStatus(status).phrase)
    assert body["error"]
    assert body["request_id"] == response["X-Request-ID"]


def assert_nothing_happened() -> None:
    assert queued_checks() == []
    assert not PaymentEvent.objects.exists()
    assert not ProviderNotification.objects.exclude(status=NotificationStatus.REFUSED).exists()
