"""Somebody of the staff with a session of the admin, who asks for refunds until there is an answer."""

import threading
import uuid
from decimal import Decimal

import requests

from sandbox.chaos.load.patience import TIMEOUT, GaveUp, insist
from sandbox.demo.payments.staff import Staff
from sandbox.errors import SandboxError


class Desk:
    """`api` is the address of our web server. Signs in when it has to. Safe for several threads."""

    def __init__(self, api: str, name: str, password: str) -> None:
        self._api, self._account = api, (name, password)
        self._cookies: dict[str, str] = {}
        self._signing_in = threading.Lock()

    def refund(self, payment_id: str, amount: Decimal) -> str:
        """Returns the id of the accepted refund, or nothing where it was refused. Raises `GaveUp`.

        The same request again carries the same key: it is one refund, however often it was sent.
        """
        url, key = f"{self._api}/api/payments/{payment_id}/refund", str(uuid.uuid4())
        body = {"reason": "Хаос", "amount": str(amount)}

        def ask() -> requests.Response:
            cookies = self._session()
            headers = {"X-CSRFToken": cookies.get("csrftoken", ""), "Idempotency-Key": key}
            answer = requests.post(url, json=body, headers=headers, cookies=cookies, timeout=TIMEOUT)
            if answer.status_code in (401, 403):
                # The session is gone with whatever kept it.
                self._cookies = {}
                raise requests.ConnectionError("signed out")
            return answer

        answer = insist(ask)
        if answer.status == requests.codes.accepted:
            return str(answer.body["refund"]["id"])
        if answer.code in ("refund_refused", "not_paid"):
            return ""
        raise GaveUp(f"{answer.status} {answer.code}")

    def _session(self) -> dict[str, str]:
        with self._signing_in:
            if not self._cookies:
                staff = Staff(self._api, *self._account)
                try:
                    staff.sign_in()
                except SandboxError as error:
                    raise requests.ConnectionError(str(error)) from error
                self._cookies = staff.cookies()
            return dict(self._cookies)
