"""The form of every explanation, and the rules by which a service's words become one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

# As every command ends for what its surroundings do not do; 1 stays for its arguments and for what it found.
EXIT_CODE = 3
# How often at most a process tries what a person has to mend first.
MISTAKE_SECONDS = 60.0
_MOST_WORDS = 300


class Kind(StrEnum):
    """Of an `OUTAGE` the end is waited for, and it is tried again within seconds. A `MISTAKE` stays until a person has
    changed something, and whoever tries all the same is locked out by poolers and firewalls: once a minute at most.
    """

    OUTAGE = "outage"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A trouble in a line for whoever can mend it: in words of ours, and as the service `said` it. Nothing is a secret.

    `code` is stable snake_case.
    """

    code: str
    kind: Kind
    cause: str
    remedy: str
    said: str = ""
    exit_code: int = EXIT_CODE

    def __str__(self) -> str:
        cause = f"{self.cause} ({self.said})" if self.said else self.cause
        return f"{cause}. {self.remedy}" if self.remedy else cause

    @property
    def is_mistake(self) -> bool:
        return self.kind is Kind.MISTAKE


@dataclass(frozen=True, slots=True)
class Rule:
    """What words of a service mean. `codes` are its own, where it gives one: the words may be in any language."""

    code: str
    kind: Kind
    cause: str
    remedy: str
    words: re.Pattern[str] | None = None
    codes: tuple[str, ...] = ()

    def explain(self, words: str) -> Explanation:
        return Explanation(self.code, self.kind, self.cause, self.remedy, one_line(words))


def rule(code: str, kind: Kind, cause: str, remedy: str, *words: str, codes: Iterable[str] = ()) -> Rule:
    pattern = re.compile("|".join(words), re.IGNORECASE) if words else None
    return Rule(code, kind, cause, remedy, pattern, tuple(codes))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__  # type: ignore[assignment]


def one_line(words: str) -> str:
    return " ".join(words.split())[:_MOST_WORDS]
