"""What the server does wrong, and for how many requests."""

import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self


class FaultKind(StrEnum):
    """`silent` never answers, `reset` breaks the connection, `truncate` keeps or sends half of an object."""

    SLOW = "slow"
    SILENT = "silent"
    STATUS = "status"
    HTML = "html"
    BROKEN_JSON = "broken_json"
    RESET = "reset"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour for the next `times` requests with this method (any when empty).

    `seconds` belongs to `slow`, `status` to `status`. With `after` the request takes effect before it goes wrong.
    """

    kind: FaultKind
    times: int = 1
    method: str = ""
    seconds: float = 1.0
    status: int = 500
    after: bool = False

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read what the control address got; raises `ValueError`."""
        if not isinstance(raw, dict) or not set(raw) <= set(cls.__dataclass_fields__):
            raise ValueError(f"a fault is an object with some of {', '.join(cls.__dataclass_fields__)}")
        values: dict[str, Any] = {str(name): value for name, value in raw.items()}
        for name, kind in (("times", int), ("seconds", int | float), ("status", int), ("method", str), ("after", bool)):
            if name in values and not isinstance(values[name], kind):
                raise ValueError(f"{name} has the wrong type")
        return cls(**{**values, "kind": FaultKind(values.get("kind", ""))})


class Faults:
    """The faults still to come, in the order in which they were asked for. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._coming.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._coming.clear()

    def take(self, method: str) -> Fault | None:
        """The fault for this request, if there is one."""
        with self._lock:
            for index, fault in enumerate(self._coming):
                if fault.method in ("", method):
                    rest = replace(fault, times=fault.times - 1)
                    self._coming[index : index + 1] = [rest] if rest.times > 0 else []
                    return fault
        return None
