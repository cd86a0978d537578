"""Callers of the reports over HTTP."""

from typing import Any
from uuid import UUID

from django.test import Client

from sandbox.tokens import access_token
from tests.support.report_deliveries import MARIA_CHECKUP

REPORTS = "/api/reports"


class Caller:
    """Somebody who is signed in, or nobody."""

    def __init__(self, user_id: UUID | None) -> None:
        self._headers = {"Authorization": f"Bearer {access_token(user_id)}"} if user_id else {}

    def get(self, path: str, **headers: str) -> Any:
        return Client().get(path, headers={**self._headers, **headers})

    def verify(self, payment_id: UUID) -> Any:
        body = {"payment_id": str(payment_id)}
        return Client().post("/api/payments/verify", body, content_type="application/json", headers=self._headers)

    def ask(self, assessment_id: object = MARIA_CHECKUP, **members: object) -> Any:
        body = {"assessment_id": str(assessment_id), **members}
        return Client().post(REPORTS, body, content_type="application/json", headers=self._headers)


def content_of(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer)
