"""Requests as a patient browser makes them: the same again, when it is told to, until it has an answer or gives up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.frontend.answer import Answer, read

TIMEOUT = (3, 20)
GIVE_UP_SECONDS = 75.0
NO_ANSWER_SECONDS = 1.0
LATER = (409, 429, 503)
# A 409 that asking again does not change.
_FINAL = frozenset(
    {"already_paid", "slot_taken", "appointment_closed", "payment_finished", "refund_refused", "refund_of_another"}
)


class GaveUp(Exception):
    """Nobody answered for so long that a person goes away. What was asked for may have happened."""


@dataclass(frozen=True, slots=True)
class PatientApi:
    """The API at an address, through every fault. `Retry-After` is obeyed to the second."""

    base_url: str

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """Raises `GaveUp`."""
        return insist(
            lambda: requests.post(f"{self.base_url}{path}", json=body, headers=dict(headers), timeout=TIMEOUT)
        )


def insist(ask: Callable[[], requests.Response]) -> Answer:
    """The first answer that is one. Raises `GaveUp`."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    said = "no answer"
    while time.monotonic() < deadline:
        pause = NO_ANSWER_SECONDS
        try:
            response = ask()
            answer = read(response)
            if not (response.status_code in LATER or response.status_code >= 500) or answer.code in _FINAL:
                return answer
            said = f"{answer.status} {answer.code}"
            pause = float(response.headers.get("Retry-After", NO_ANSWER_SECONDS))
        except requests.RequestException as error:
            said = type(error).__name__
        time.sleep(pause)
    raise GaveUp(said)
