"""What the server does wrong, asked for by tags in the recipient's address.

`name+refuse2@…`    the first 2 attempts are answered 451, the next is accepted
`name+always451@…`  every attempt is answered 451
`name+reject550@…`  the address is refused for good when it is named
`name+slow5@…`      the answer to the finished mail takes 5 seconds
`name+drop1@…`      the connection of the first attempt breaks after the mail was sent and before it is answered

Tags can be joined: `name+slow2+refuse1@…`. An attempt is counted by recipient and Message-ID (or subject without one).
"""

import re
from dataclasses import dataclass
from typing import Self

_COUNTED = re.compile(r"(refuse|slow|drop)(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Faults:
    """The misbehaviour for one recipient; `slow` is in seconds, `refuse` and `drop` are numbers of attempts."""

    refuse: int = 0
    slow: int = 0
    drop: int = 0
    always_451: bool = False
    reject_550: bool = False

    @classmethod
    def of(cls, recipient: str) -> Self:
        tags = recipient.rpartition("@")[0].lower().split("+")[1:]
        counted = {match[1]: int(match[2]) for tag in tags if (match := _COUNTED.fullmatch(tag))}
        return cls(**counted, always_451="always451" in tags, reject_550="reject550" in tags)

    def drops(self, attempt: int) -> bool:
        return attempt <= self.drop

    def refuses(self, attempt: int) -> bool:
        """Whether attempt number `attempt` (from 1) is answered 451; attempts whose connection broke come first."""
        return self.always_451 or attempt <= self.drop + self.refuse
