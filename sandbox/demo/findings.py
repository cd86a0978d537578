"""What the acts have in common at the end: how much was judged, and what differs from what was expected."""

from typing import Protocol

from bridge.message import Outcome, Reason
from sandbox.demo.archive import Archived


class Findings(Protocol):
    """One act's. `judged` counts the things that were compared, `differences` are lines for people."""

    @property
    def judged(self) -> int: ...

    @property
    def differences(self) -> list[str]: ...


class Ending(Protocol):
    """How a message must end."""

    @property
    def outcome(self) -> Outcome: ...

    @property
    def reason(self) -> Reason | None: ...

    @property
    def attempts(self) -> int: ...


def unlike_archive(expected: Ending, archived: Archived | None) -> list[str]:
    """What the archive says of a message otherwise than it must."""
    if archived is None:
        return ["it is not in the archive"]
    return unequal(
        ("outcome", expected.outcome.value, archived.outcome),
        ("reason", expected.reason.value if expected.reason else "", archived.reason),
        ("number of attempts", expected.attempts, archived.attempts),
    )


def unequal(*facts: tuple[str, object, object]) -> list[str]:
    """A line for each fact (its name, what is wanted, what was got) that is not as wanted."""
    return [f"{name} is {got!r} instead of {wanted!r}" for name, wanted, got in facts if wanted != got]


def exit_code(*acts: Findings) -> int:
    """0 when everything is as expected; an act that judged nothing proves nothing, so it is 1 then."""
    return 1 if any(act.differences or not act.judged for act in acts) else 0
