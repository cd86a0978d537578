"""Who does something: a person in the admin, somebody at the command line, or the service itself."""

import os
import pwd
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _


class Kind(StrEnum):
    """`SYSTEM` is nobody: a breaker that opened, or what beat does."""

    STAFF = "staff"
    CLI = "cli"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is that of the staff user, or of the system's user; `user_id` is the staff user's key."""

    kind: Kind
    name: str
    user_id: int | None = None

    def __str__(self) -> str:
        return self.name if self.kind is Kind.STAFF else f"{self.name} ({self.kind})"


def staff_actor(user: Any) -> Actor:
    """The staff user of a request."""
    return Actor(Kind.STAFF, user.get_username(), user.pk)


def told_to_staff(by: str) -> str:
    """Who placed a hold, as a Russian sentence says it: `root (cli)` is «root, командная строка»."""
    mark = f" ({Kind.CLI})"
    return f"{by.removesuffix(mark)}, {_('command line')}" if by.endswith(mark) else by


def cli_actor() -> Actor:
    """Whoever runs this process, as the system knows them: what the environment says can be made up."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # A container may run as a number that has no name.
        name = f"uid {number}"
    return Actor(Kind.CLI, name)
