"""Which of a queue's failed messages are meant: what an operator asks for, as it is shown, done and written down."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from bridge.message import Reason
from wording.masking import mask_tokens

# A repeat ends in the same way.
HOPELESS = (Reason.PERMANENT_ERROR.value, Reason.INVALID_MESSAGE.value, Reason.REFUSED.value)

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is given must hold. What was put back or discarded is never meant, as it is history.

    What our rules refused is meant when `reason` or `ids` say so. `pattern` is the error's text with its numbers, names
    and addresses taken out, exactly; `text` is to be found in kind or words of the error, in small letters or large
    ones. `since` and `until` are times of the failure, and both belong to what is meant. `only_hopeful` leaves out what
    a repeat does not help, unless somebody has mended something in between.
    """

    reason: str | None = None
    error_type: str | None = None
    pattern: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    trace_id: str | None = None
    ids: Sequence[int] | None = None
    only_hopeful: bool = False

    def matches(self, error_type: str | None, error: str | None) -> bool:
        """Whether an error has the `text`: how a letter is made small Postgres knows only by its locale."""
        if self.text is None:
            return True
        return error_type is not None and self.text.casefold() in f"{error_type}: {error or ''}".casefold()

    def values(self) -> dict[str, Any]:
        """What the queries of the archive ask for; `text` is up to `matches`."""
        return {
            "reason": str(self.reason) if self.reason else None,
            "error_type": self.error_type,
            "pattern": self.pattern,
            "since": self.since,
            "until": self.until,
            "trace_id": self.trace_id,
            "ids": list(self.ids) if self.ids is not None else None,
            "hopeless": list(HOPELESS) if self.only_hopeful else [],
        }

    def as_json(self) -> dict[str, Any]:
        """What is given, and nothing else. An address that somebody looked for is nothing to be kept."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        if self.reason is not None:
            given["reason"] = str(self.reason)
        for name in ("since", "until"):
            if name in given:
                given[name] = given[name].isoformat()
        for name in ("text", "pattern", "error_type"):
            if name in given:
                given[name] = mask_tokens(_ADDRESS.sub("<address>", given[name]))
        if self.ids is not None:
            given["ids"] = list(self.ids)
        return given

    @property
    def is_kept_whole(self) -> bool:
        """Whether `as_json` says all of it: somebody who has that alone finds the same messages."""
        return self.text is None and self.from_json(self.as_json()).values() == self.values()

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Self:
        values = dict(given)
        for name in ("since", "until"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)
