"""The pages of payments in the admin, and the people who look at them."""

import re
from typing import Any
from unittest import mock
from uuid import UUID

from django.contrib.auth.models import Permission, User
from django.template.response import SimpleTemplateResponse
from django.test import Client

LIST = "/admin/payments/payment/"
REFUNDS = "/admin/payments/refund/"
NOTIFICATIONS = "/admin/payments/providernotification/"
REVENUE = f"{LIST}revenue/"

LOOK = ("view_payment", "view_refund", "view_providernotification")
CHECK, REFUND, REPLAY = "check_payment", "refund_payment", "replay_providernotification"


def staff_with(*permissions: str, username: str = "support") -> Client:
    """Somebody who is logged in, no superuser, and may do just that."""
    user = User.objects.create(username=username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="payments"))
    client = Client()
    client.force_login(user)
    return client


def page_of(payment_id: UUID, *path: str) -> str:
    """The page of a payment, or with `path` one of its actions."""
    return "/".join((f"{LIST}{payment_id}", *(path or ("change",)), ""))


def looked_up(client: Client, address: str, query: dict[str, str] | None = None) -> Any:
    """What the page of a list is made of, as everything finds it out that comes before the page is drawn."""
    with mock.patch.object(SimpleTemplateResponse, "rendered_content", ""):
        response: Any = client.get(address, query)
    assert response.status_code == 200
    return response.context_data["cl"]


def text(response: Any) -> str:
    """The page as people read it, with ordinary spaces."""
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode().replace("<wbr>", "")))


def messages_of(response: Any) -> list[str]:
    """What the page says about the action before it."""
    return [str(message) for message in response.context["messages"]]
