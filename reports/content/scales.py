"""The scales of the questionnaires: names, sections and maxima; and how what is stored for a scale is read.

The front end's scoring functions own the results. Statuses are final: nothing here derives one from a score.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import TextChoices

from wording.typed import read_number

# Larger than any maximum, small enough to print. What lies beyond was not written by a scoring function.
_LARGEST_SCORE = 999


class Section(TextChoices):
    """The parts of a report, in its order; each is about one type of assessment."""

    CHILD = "child", "Ребёнок"
    PARENT = "parent", "Вы"
    FAMILY = "family", "Семья"


class Band(TextChoices):
    """What a questionnaire says about a scale, in three steps."""

    TYPICAL = "typical", "Всё в порядке"
    BORDERLINE = "borderline", "Погранично"
    CONCERNING = "concerning", "Тревожно"
    UNKNOWN = "unknown", "Неизвестно"


# Texts and the steps of a chart exist for these.
KNOWN_BANDS = (Band.TYPICAL, Band.BORDERLINE, Band.CONCERNING)

SECTION_OF_TYPE = {"checkup": Section.CHILD, "parent": Section.PARENT, "family": Section.FAMILY}

_BAND_OF_STATUS = {
    "typical": Band.TYPICAL,
    "low_impact": Band.TYPICAL,
    "borderline": Band.BORDERLINE,
    "medium_impact": Band.BORDERLINE,
    "concerning": Band.CONCERNING,
    "high_impact": Band.CONCERNING,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """`key` is the one in `results_summary`; `short` is the name on a summary card."""

    key: str
    title: str
    maximum: int
    section: Section
    short: str


# In the order of the document. The older shape has `impact` where the newer one has three scales.
SCALES = (
    Scale("emotional", "Эмоциональные трудности", 20, Section.CHILD, "Эмоции"),
    Scale("conduct", "Поведенческие трудности", 20, Section.CHILD, "Поведение"),
    Scale("peer_problems", "Социальные трудности", 24, Section.CHILD, "Социальное"),
    Scale("hyperactivity", "Трудности с активностью", 20, Section.CHILD, "Активность"),
    Scale("impact_child", "Влияние на ребёнка", 3, Section.CHILD, "Ребёнок"),
    Scale("impact_parent", "Влияние на родителя", 6, Section.CHILD, "Родитель"),
    Scale("impact_family", "Влияние на семью", 18, Section.CHILD, "Семья"),
    Scale("impact", "Влияние на жизнь", 2, Section.CHILD, "Влияние"),
    Scale("total_difficulties", "Общие трудности", 84, Section.CHILD, "Общее"),
    Scale("anxiety", "Тревожность", 6, Section.PARENT, "Тревожность"),
    Scale("depression", "Депрессия", 6, Section.PARENT, "Депрессия"),
    Scale("family_stress", "Семейный стресс", 4, Section.FAMILY, "Стресс"),
    Scale("partner_relationship", "Отношения с партнёром", 10, Section.FAMILY, "Отношения"),
    Scale("coparenting", "Совместное воспитание", 10, Section.FAMILY, "Воспитание"),
)
SCALE_BY_KEY = {scale.key: scale for scale in SCALES}
# The sum of the four difficulties. It is stored as a bare number, so it usually has no band.
TOTAL = SCALE_BY_KEY["total_difficulties"]


def band_of_status(status: str | None) -> Band:
    """The band of a stored status of either shape; anything else is `UNKNOWN`."""
    return _BAND_OF_STATUS.get(status or "", Band.UNKNOWN)


def read_score(text: str | None) -> Decimal | None:
    """A stored score, rounded to one decimal, or `None` for a skipped scale and what is no usable number."""
    score = _number(text)
    if score is None or not 0 <= score <= _LARGEST_SCORE:
        return None
    # Without the sign that a zero may carry.
    rounded = abs(round(score, 1))
    return rounded.to_integral_value() if rounded == rounded.to_integral_value() else rounded


def was_skipped(text: str | None) -> bool:
    """Whether a stored score is the −1 of skipped questions. The status beside it was computed from nothing."""
    score = _number(text)
    return score is not None and score < 0


def _number(text: str | None) -> Decimal | None:
    return read_number((text or "").strip())
