"""Made-up families, to look at the document without a database: the usual ones and those that strain the layout."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from reports.content.data import ReportData, ScaleResult, SectionResults, Worries, WorryArea
from reports.content.loading import NAME_LENGTH, WORRY_LENGTH
from reports.content.scales import KNOWN_BANDS, SCALE_BY_KEY, Band, Section

_AT = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)
_ID = UUID("3f2b8c1e-5d4a-4f6b-9c7d-8e9f0a1b2c3d")

_OK, _EDGE, _HIGH = KNOWN_BANDS
_NONE = Band.UNKNOWN

_Scores = Mapping[str, tuple[float | None, Band]]

_CHILD: _Scores = {
    "emotional": (13, _HIGH),
    "conduct": (6, _OK),
    "peer_problems": (9, _EDGE),
    "hyperactivity": (10, _EDGE),
    "impact_child": (2, _EDGE),
    "impact_parent": (4, _HIGH),
    "impact_family": (5, _OK),
    "total_difficulties": (38, _NONE),
}
_OLDER: _Scores = {
    "emotional": (5, _OK),
    "conduct": (14, _HIGH),
    "peer_problems": (None, _NONE),
    "hyperactivity": (8.5, _OK),
    "impact": (1, _EDGE),
    "total_difficulties": (44, _NONE),
}
_PARENT: _Scores = {"anxiety": (4, _HIGH), "depression": (2, _EDGE)}
_FAMILY: _Scores = {"family_stress": (3, _HIGH), "partner_relationship": (4, _OK), "coparenting": (6, _EDGE)}

_WORRIES = (
    Worries(WorryArea.CHILD, ("Тревога перед школой", "Плохой сон")),
    Worries(WorryArea.PERSONAL, ("Выгорание", "Чувство вины")),
    Worries(WorryArea.FAMILY, ("Мало времени вместе",)),
)
# As many as the questionnaire offers.
_ALL_WORRIES = (
    Worries(
        WorryArea.CHILD,
        (
            *("Тревога перед школой", "Плохой сон", "Истерики", "Страхи", "Конфликты со сверстниками", "Учёба"),
            *("Зависимость от гаджетов", "Отказ от еды", "Низкая самооценка"),
        ),
    ),
    Worries(WorryArea.PERSONAL, ("Выгорание", "Чувство вины", "Раздражительность", "Одиночество")),
    Worries(WorryArea.FAMILY, ("Мало времени вместе", "Разные взгляды на воспитание", "Развод", "Ссоры из-за денег")),
)
_LONG = "Александра-Виктория Константинопольская-Рождественская-Оболенская-Задунайская"
_HOSTILE = """<script>alert(1)</script><img src="file:///etc/passwd">&amp;{{ data }}"""


def _section(
    section: Section, scores: _Scores, person: str, *, age: int | None = None, at: datetime | None = _AT
) -> SectionResults:
    results = tuple(
        ScaleResult(SCALE_BY_KEY[key], None if score is None else Decimal(str(score)), band)
        for key, (score, band) in scores.items()
    )
    return SectionResults(section, person, age, at, results)


def _all(band: Band) -> tuple[SectionResults, ...]:
    return tuple(
        _section(section, {key: (score, band) for key, (score, _) in scores.items()}, person, age=age)
        for section, scores, person, age in (
            (Section.CHILD, _CHILD, "Мария", 9),
            (Section.PARENT, _PARENT, "Анна", None),
            (Section.FAMILY, _FAMILY, "Анна", None),
        )
    )


def _report(name: str, *sections: SectionResults, worries: tuple[Worries, ...] = ()) -> ReportData:
    return ReportData(_ID, name, sections[0].completed_at, sections, worries)


_FULL = (
    _section(Section.CHILD, _CHILD, "Мария", age=9),
    _section(Section.PARENT, _PARENT, "Анна"),
    _section(Section.FAMILY, _FAMILY, "Анна"),
)

SAMPLES: Mapping[str, ReportData] = {
    "full": _report("Мария", *_FULL, worries=_WORRIES),
    "child": _report("Мария", _FULL[0], worries=_WORRIES[:1]),
    "parent": _report("Анна", _FULL[1]),
    "family": _report("Анна", _FULL[2], worries=_WORRIES[2:]),
    "older": _report("Артём", _section(Section.CHILD, _OLDER, "Артём", at=None)),
    "long": _report(
        _LONG[: NAME_LENGTH - 1] + "…",
        _section(Section.CHILD, _CHILD, _LONG[: NAME_LENGTH - 1] + "…", age=11),
        _section(Section.PARENT, _PARENT, _LONG[: NAME_LENGTH - 1] + "…"),
        worries=_ALL_WORRIES,
    ),
    "hostile": _report(
        _HOSTILE[:NAME_LENGTH],
        _section(Section.CHILD, _CHILD, _HOSTILE[:NAME_LENGTH], age=0),
        worries=(Worries(WorryArea.CHILD, (_HOSTILE[:WORRY_LENGTH], "Ж" * WORRY_LENGTH), more=476),),
    ),
    "calm": _report("Мария", *_all(Band.TYPICAL), worries=_WORRIES),
    "skipped": _report("Мария", *_all(Band.UNKNOWN)),
}
