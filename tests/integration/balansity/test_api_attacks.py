"""What a stranger on the network may send, beyond what each door's own tests try."""

import base64
from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from payments.models import ProviderNotification
from tests.support.payment_calls import Customer
from tests.support.payment_pages import LOOK, NOTIFICATIONS, staff_with
from tests.support.webhook_requests import STRANGER, post

pytestmark = pytest.mark.usefixtures("database")


def test_half_a_character_in_a_strangers_notification_does_not_break_its_page() -> None:
    body = b'{"type":"notification","event":"payment.succeeded","object":{"id":"abc","x":"\\ud800<script>"}}'
    assert post(body, sender=STRANGER).status_code == 403
    row = ProviderNotification.objects.get()
    page = staff_with(*LOOK).get(f"{NOTIFICATIONS}{row.pk}/change/")
    assert page.status_code == 200
    assert b"\\ud800&lt;script&gt;" in page.content


@pytest.mark.parametrize("zone", ["+23:59", "-16:00", "+03:00:30", "+23:59:59.5", ""])
@pytest.mark.parametrize("path", ["/api/payments", "/api/reports"])
def test_a_cursor_with_a_zone_that_postgres_does_not_know_leads_nowhere(path: str, zone: str) -> None:
    cursor = base64.b64encode(urlencode({"p": f"2026-01-01T00:00:00{zone}"}).encode()).decode()
    assert Customer().get(f"{path}?cursor={quote(cursor)}").status == 404


def test_the_page_of_the_documentation_answers_to_nothing_but_reading() -> None:
    client = Client(raise_request_exception=False)
    assert client.options("/api/docs").status_code == 405
    assert client.post("/api/docs").status_code == 405
    assert client.get("/api/docs").status_code == 200
