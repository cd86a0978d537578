"""How one report message must end."""

from dataclasses import dataclass

from bridge.message import Outcome, Reason
from sandbox.demo.families import Family


@dataclass(frozen=True, slots=True)
class ExpectedReport:
    """A message in the name of `family` about the check-up of `about` (default: its own).

    One that succeeds leaves a stored PDF and brings its family a mail; one that fails leaves neither.
    """

    family: Family
    about: Family | None = None
    outcome: Outcome = Outcome.SUCCEEDED
    reason: Reason | None = None
    attempts: int = 1

    @property
    def user_id(self) -> str:
        return self.family.id

    @property
    def assessment_id(self) -> str:
        return (self.about or self.family).checkup_id

    @property
    def is_made(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Asked:
    """A report message that is on its way, and how it must end."""

    msg_id: int
    expected: ExpectedReport
