"""The server against its own description: whatever is sent, each answer is one that `openapi.yaml` announces."""

from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import pytest
import requests
import schemathesis
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from payments.models import Payment
from payments.states import ProviderStatus
from sandbox.packages import CHECKOUT
from sandbox.services.process import free_port
from sandbox.yookassa import YooKassaServer
from tests.acceptance.processes import Fleet
from tests.support.checkouts import make_checkout
from tests.support.payment_calls import Customer, make_catalogue
from tests.support.supabase_tokens import access_token

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 30
NO_LIMIT = "1000000"

schema = schemathesis.openapi.from_path(CHECKOUT / "openapi.yaml").include(path_regex="^/api/payments")


@dataclass(frozen=True)
class Login:
    headers: dict[str, str]
    cookies: dict[str, str]


def customer_login(customer: Customer) -> Login:
    return Login({"Authorization": f"Bearer {access_token(customer.id, email='token@example.org')}"}, {})


def staff_login() -> Login:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="refund_payment"))
    client, secret = Client(), token_hex(16)
    client.force_login(user)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    return Login({"X-CSRFToken": secret}, {"sessionid": session, "csrftoken": secret})


@pytest.fixture
def server(fleet: Fleet, yookassa: YooKassaServer) -> str:
    """The address of gunicorn, which lets everybody call as often as they like."""
    port = free_port()
    fleet.variables |= {
        "YUKASSA_API_URL": yookassa.api_url,
        "YUKASSA_SHOP_ID": django_settings.YUKASSA_SHOP_ID,
        "YUKASSA_SECRET_KEY": django_settings.YUKASSA_SECRET_KEY,
        **{f"API_THROTTLE_{scope}": NO_LIMIT for scope in ("DEFAULT", "CREATE", "VERIFY")},
    }
    fleet.web(port).await_text("Listening at")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def connection() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_no_answer_is_a_surprise(server: str, connection: requests.Session) -> None:
    customer, catalogue = Customer(), make_catalogue()
    logins = {True: staff_login(), False: customer_login(customer)}
    paid = make_checkout(ProviderStatus.SUCCEEDED)
    Payment.objects.filter(pk=paid.pk).update(user_id=customer.id, metadata=catalogue.bundle())
    # Without these nearly every call would end at a 404.
    real: dict[str, dict[str, Any]] = {
        "GET /api/payments": {},
        "GET /api/payments/{payment_id}": {"path_parameters": {"payment_id": str(paid.pk)}},
        "POST /api/payments/{payment_id}/refund": {
            "path_parameters": {"payment_id": str(paid.pk)},
            "body": {"amount": "0.01", "reason": "x"},
        },
        "POST /api/payments/create": {
            "body": {"amount": 4500, "currency": "RUB", "metadata": catalogue.bundle()},
        },
        "POST /api/payments/verify": {"body": {"payment_id": str(paid.pk)}},
    }
    seen: set[tuple[str, int]] = set()

    def call(case: schemathesis.Case[Any]) -> None:
        login = logins[case.path.endswith("/refund")]
        headers = dict(case.headers.items()) | login.headers
        response = case.call(server, connection, headers, cookies=login.cookies)
        seen.add((case.operation.label, response.status_code))
        case.validate_response(response, checks=CHECKS)

    operations = {found.ok().label: found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)}
    assert set(operations) == set(real)
    for label, operation in operations.items():
        cases = st.one_of(
            operation.as_strategy(),
            operation.as_strategy(GenerationMode.NEGATIVE),
            operation.as_strategy(**real[label]),
        )
        quiet = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        quiet(given(cases)(call))()
    # The test itself: each operation was seen to work, and to refuse.
    assert {label for label, status in seen if status < 300} == set(operations)
    assert {status for _, status in seen} >= {200, 202, 400, 404}
