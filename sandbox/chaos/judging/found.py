"""What the checker says when something is wrong."""

from dataclasses import dataclass
from enum import IntEnum


class Invariant(IntEnum):
    """What must hold, by its number in `docs/chaos.md`."""

    OUTCOME = 1
    MONEY = 2
    MAIL = 3
    REPORT = 4


@dataclass(frozen=True, slots=True)
class Violation:
    """`about` names the message, payment, mail or report."""

    invariant: Invariant
    about: str
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant.value}: {self.about}: {self.what}"
