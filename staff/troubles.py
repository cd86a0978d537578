"""What staff are told of at once, as each package finds it: in its module `incidents`, which has a list `DETECTORS`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now. `key` tells it from others of its detector, and stays the same while it lasts.

    `kind` is what one would tell in one breath. `what` is a sentence without a full stop, `advice` says what to do;
    both in Russian, without a name, an address or an amount. `address` is a path in the admin.
    """

    kind: str
    key: str
    what: str
    advice: str = ""
    address: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Detector:
    """A look at the things of one `name`: returns all that is wrong now. What it names no more is over.

    It is given the keys of what stands open, asks nobody but Postgres, and raises when it cannot tell.
    """

    name: str
    find: Callable[[frozenset[str]], Iterable[Trouble]]
