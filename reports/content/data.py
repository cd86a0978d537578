"""What a report says, clean and bounded: made by `reports.content.loading`, read by every renderer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import TextChoices

from reports.content.scales import TOTAL, Band, Scale, Section


class WorryArea(TextChoices):
    """Whom a worry is about, in the order of the document."""

    CHILD = "child", "О ребёнке"
    PERSONAL = "personal", "О себе"
    FAMILY = "family", "О семье"


@dataclass(frozen=True, slots=True)
class ScaleResult:
    """One scale of one assessment. `score` is `None` where the scale was skipped or holds no number."""

    scale: Scale
    score: Decimal | None
    band: Band


@dataclass(frozen=True, slots=True)
class SectionResults:
    """The results of one section, in the document's order; at least one.

    `person` may be empty. `age` is in full years at completion, for a child whose dob is known.
    """

    section: Section
    person: str
    age: int | None
    completed_at: datetime | None
    results: tuple[ScaleResult, ...]

    @property
    def scales(self) -> tuple[ScaleResult, ...]:
        """The results without the sum."""
        return tuple(result for result in self.results if result.scale != TOTAL)

    @property
    def total(self) -> ScaleResult | None:
        """The sum of the difficulties, where one was stored."""
        return next((result for result in self.results if result.scale == TOTAL), None)


@dataclass(frozen=True, slots=True)
class Worries:
    """The tags of one area, one line each; `more` says how many were left out for want of space."""

    area: WorryArea
    tags: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class ReportData:
    """A whole report. `name` is that of the assessment's profile, or what stands for it: never empty.

    `completed_at` is aware. `sections` holds at least one, in the document's order.
    """

    assessment_id: UUID
    name: str
    completed_at: datetime | None
    sections: tuple[SectionResults, ...]
    worries: tuple[Worries, ...] = ()
