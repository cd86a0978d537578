"""How a call of YooKassa's API fails: come again, or never in this form. The texts are safe to log."""

import re
from enum import StrEnum

_UNLOGGABLE = re.compile(r"[^\w.\-\[\]]", re.ASCII)


class Trouble(StrEnum):
    """What any other request would meet as well."""

    NONE = ""
    NOT_REACHED = "away"
    SERVER_ERROR = "server_error"
    TOO_MANY = "quota"


class YooKassaError(Exception):
    """Base of everything that a call may raise, apart from `ValueError` for arguments that no call can be made of."""


class Unavailable(YooKassaError):
    """There is no usable answer: network, timeout, 429, 5xx, 202, or a text that is not YooKassa's. Repeat later.

    `outcome_unknown` says that a request to change something may have taken effect all the same: repeat it with the
    same key and the same body, or look. `retry_after` is in seconds, where YooKassa named a time. `trouble` is empty
    where the failure is about this request alone.
    """

    def __init__(
        self, reason: str, outcome_unknown: bool, retry_after: float | None = None, *, trouble: Trouble = Trouble.NONE
    ) -> None:
        super().__init__(reason, outcome_unknown, retry_after)
        self.reason = reason
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after
        self.trouble = trouble

    def __str__(self) -> str:
        return f"YooKassa is unavailable: {self.reason}" + (" (outcome unknown)" if self.outcome_unknown else "")


class Rejected(YooKassaError):
    """YooKassa refused the request with a 4xx: nothing happened, and the same request will be refused again.

    `code` and `parameter` are YooKassa's (`invalid_request`, `amount.value`). `description` is its sentence about it,
    which may quote what was sent: it is for people who may see the payment, not for logs.
    """

    def __init__(self, http_status: int, code: str, parameter: str = "", description: str = "") -> None:
        super().__init__(http_status, code, parameter, description)
        self.http_status = http_status
        self.code = code
        self.parameter = parameter
        self.description = description

    def __str__(self) -> str:
        about = f", parameter {loggable(self.parameter)}" if self.parameter else ""
        return f"YooKassa refused: {self.http_status} {loggable(self.code)}{about}"


class NotSent(Rejected):
    """A request that is not sent any more, as its key is forgotten by now and it may have been made."""

    def __init__(self, description: str) -> None:
        super().__init__(0, "too_late", "", description)

    def __str__(self) -> str:
        return "not sent to YooKassa"


def loggable(word: str) -> str:
    """A word of a foreign server without line breaks, and without the length to fill a disk with."""
    return _UNLOGGABLE.sub("?", word[:64])
