"""Somebody of the staff, who signs in to the admin and refunds payments over the API and looks at the home page."""

import requests

from sandbox.errors import SandboxError
from sandbox.frontend.answer import TIMEOUT, Answer, read


class Staff:
    """`api` is the address of our web server; `sign_in` comes first."""

    def __init__(self, api: str, name: str, password: str) -> None:
        self._api = api
        self._account = {"username": name, "password": password}
        self._session = requests.Session()

    def refund(self, payment_id: str, *, reason: str, amount: str | None = None) -> Answer:
        """Ask for a refund; without `amount` of all that remains."""
        body = {"reason": reason} | ({} if amount is None else {"amount": amount})
        url = f"{self._api}/api/payments/{payment_id}/refund"
        token = {"X-CSRFToken": self._session.cookies.get("csrftoken", "")}
        return read(self._session.post(url, json=body, headers=token, timeout=TIMEOUT))

    def home(self) -> str:
        """The home page of the admin, as HTML."""
        answer = self._session.get(f"{self._api}/admin/", timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.text

    def cookies(self) -> dict[str, str]:
        """The session, for requests of one's own."""
        return self._session.cookies.get_dict()

    def close(self) -> None:
        self._session.close()

    def sign_in(self) -> None:
        """Raises `SandboxError` when the admin does not let them in."""
        page = f"{self._api}/admin/login/"
        self._session.get(page, timeout=TIMEOUT).raise_for_status()
        token = self._session.cookies.get("csrftoken", "")
        form = {**self._account, "next": "/admin/", "csrfmiddlewaretoken": token}
        answer = self._session.post(page, data=form, timeout=TIMEOUT, allow_redirects=False)
        if answer.status_code != requests.codes.found:
            raise SandboxError(f"the admin answered {answer.status_code} instead of letting staff in")
