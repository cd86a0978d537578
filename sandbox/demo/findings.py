"""What the acts have in common at the end: how much was judged, and what differs from what was expected."""

from typing import Protocol


class Findings(Protocol):
    """One act's. `judged` counts the things that were compared, `differences` are lines for people."""

    @property
    def judged(self) -> int: ...

    @property
    def differences(self) -> list[str]: ...


def exit_code(*acts: Findings) -> int:
    """0 when everything is as expected; an act that judged nothing proves nothing, so it is 1 then."""
    return 1 if any(act.differences or not act.judged for act in acts) else 0
