"""One guard, broken: where it stands, and what was done to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """What is told of one change. `number` finds it again in the same text of the file.

    `function` is the function that it is in, or the named query. `lines` are those of which a test must have run one
    to notice the change at all.
    """

    file: str
    number: int
    function: str
    line: int
    text: str
    what: str
    lines: range

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"
