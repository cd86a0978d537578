"""Rows of Supabase's tables → `ReportData`. Reads only, with raw SQL: those tables have no models here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection

from reports.content.data import ReportData, ScaleResult, SectionResults, Worries, WorryArea
from reports.content.scales import (
    SCALE_BY_KEY,
    SCALES,
    SECTION_OF_TYPE,
    Band,
    Section,
    band_of_status,
    read_score,
    was_skipped,
)
from reports.errors import AssessmentMissing, AssessmentNotCompleted, NotCalculatedYet, NotTheOwner
from wording.plain_text import one_line
from wording.russian import MOSCOW

NAME_LENGTH = 60
WORRY_LENGTH = 60
# The questionnaires offer 17 tags in all; whatever else stands there is a user's own invention.
WORRIES_SHOWN = 18
_OLDEST = 120

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Assessment:
    id: UUID
    section: Section
    person: str
    dob: date | None
    completed_at: datetime | None


def load_report(assessment_id: UUID, *, user_id: UUID) -> ReportData:
    """Everything the report about this assessment says, with the other sections the family has results for.

    Raises `AssessmentMissing`, `NotTheOwner` or `AssessmentNotCompleted`, for which repeating is of no use, and
    `NotCalculatedYet`, for which it is.
    """
    own = _own_assessment(assessment_id, user_id)
    family = [
        _Assessment(found_id, SECTION_OF_TYPE[kind], _name(person), dob, completed_at)
        for found_id, kind, person, dob, completed_at in _rows(
            "family", assessment_id=assessment_id, user_id=user_id, keys=list(SCALE_BY_KEY)
        )
        if kind in SECTION_OF_TYPE
    ]
    results = _results([own, *family])
    if not results[own.id]:
        raise NotCalculatedYet(f"the results of assessment {assessment_id} are not calculated yet")
    return ReportData(
        assessment_id=assessment_id,
        name=own.person or ("Ваш ребёнок" if own.section is Section.CHILD else "Ваша семья"),
        completed_at=own.completed_at,
        sections=tuple(_sections(own, family, results)),
        worries=_worries(assessment_id),
    )


def full_years(dob: date | None, moment: datetime | None) -> int | None:
    """The age in full years at that moment in Moscow; `None` when unknown or impossible."""
    if dob is None or moment is None:
        return None
    day = moment.astimezone(MOSCOW).date()
    years = day.year - dob.year - ((day.month, day.day) < (dob.month, dob.day))
    return years if 0 <= years <= _OLDEST else None


def _own_assessment(assessment_id: UUID, user_id: UUID) -> _Assessment:
    row = next(iter(_rows("assessment", assessment_id=assessment_id)), None)
    if row is None:
        raise AssessmentMissing(f"there is no assessment {assessment_id}")
    status, kind, owner, profile_type, person, dob, completed_at = row
    if owner != user_id:
        raise NotTheOwner(f"assessment {assessment_id} does not belong to user {user_id}")
    if status != "completed":
        raise AssessmentNotCompleted(f"assessment {assessment_id} is {status}, not completed")
    child_dob = dob if profile_type == "child" else None
    return _Assessment(assessment_id, SECTION_OF_TYPE.get(kind, Section.CHILD), _name(person), child_dob, completed_at)


def _results(assessments: list[_Assessment]) -> dict[UUID, list[ScaleResult]]:
    found: dict[UUID, dict[str, ScaleResult]] = {assessment.id: {} for assessment in assessments}
    rows = _rows("scores", ids=[str(assessment_id) for assessment_id in found], keys=list(SCALE_BY_KEY))
    for assessment_id, key, score, status in rows:
        band = Band.UNKNOWN if was_skipped(score) else band_of_status(status)
        found[assessment_id][key] = ScaleResult(SCALE_BY_KEY[key], read_score(score), band)
    return {
        assessment_id: [by_key[scale.key] for scale in SCALES if scale.key in by_key]
        for assessment_id, by_key in found.items()
    }


def _sections(
    own: _Assessment, family: Iterable[_Assessment], results: dict[UUID, list[ScaleResult]]
) -> Iterable[SectionResults]:
    """The report's own assessment first, with whatever sections it has; the family fills the others."""
    others = {assessment.section: assessment for assessment in family}
    for section in Section:
        for source in (own, others.get(section)):
            if source is None:
                continue
            of_section = tuple(result for result in results[source.id] if result.scale.section == section)
            if of_section:
                age = full_years(source.dob, source.completed_at)
                yield SectionResults(section, source.person, age, source.completed_at, of_section)
                break


def _worries(assessment_id: UUID) -> tuple[Worries, ...]:
    rows = _rows("assessment_worries", assessment_id=assessment_id)
    rows = rows or _rows("profile_worries", assessment_id=assessment_id)
    by_area: dict[WorryArea, dict[str, None]] = {area: {} for area in WorryArea}
    for area, text in rows:
        if tag := one_line(text, WORRY_LENGTH):
            by_area[WorryArea(area)][tag] = None
    return tuple(
        Worries(area, tuple(tags)[:WORRIES_SHOWN], max(0, len(tags) - WORRIES_SHOWN))
        for area, tags in by_area.items()
        if tags
    )


def _name(text: str | None) -> str:
    return one_line(text or "", NAME_LENGTH)


def _rows(name: str, **values: Any) -> list[_Row]:
    with connection.cursor() as cursor:
        cursor.execute(_queries()[name], values)
        rows: list[_Row] = cursor.fetchall()
    return rows


@cache
def _queries() -> dict[str, str]:
    text = (Path(__file__).parent / "sql" / "queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
