"""What a note to staff says, as data: it is kept on its row, so that all its readers and every attempt get the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One thing: what, how many of it where that is counted, what to know or to do, and where in the admin it is."""

    what: str
    count: str = ""
    note: str = ""
    address: str = ""
    is_well: bool = False


@dataclass(frozen=True, slots=True)
class NoticeText:
    subject: str
    heading: str
    lead: str
    lines: tuple[NoticeLine, ...]

    def kept(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        lines = tuple(NoticeLine(**line) for line in kept["lines"])
        return cls(kept["subject"], kept["heading"], kept["lead"], lines)
