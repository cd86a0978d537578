"""Which calls of the API came in. No header, no body: only what tells one call from another."""

import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class ApiCall:
    """`status` is 0 where no answer was sent; `path` is without `/v3`; `fault` is the one in force, if any."""

    at: datetime
    method: str
    path: str
    key: str
    status: int
    fault: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat()}


class Journal:
    """The latest calls, oldest first. Safe for several threads."""

    def __init__(self) -> None:
        self._calls: list[ApiCall] = []
        self._lock = threading.Lock()

    def note(self, *, method: str, path: str, key: str, status: int, fault: str) -> None:
        with self._lock:
            self._calls.append(ApiCall(datetime.now(UTC), method, path, key, status, fault))
            del self._calls[:-_MOST]

    def calls(self) -> list[ApiCall]:
        with self._lock:
            return list(self._calls)
