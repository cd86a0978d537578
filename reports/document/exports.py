"""The report for programs: the same results as CSV and as JSON."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

from reports.content.data import ReportData, ScaleResult, SectionResults
from reports.document.wording import moscow_date
from wording.russian import MOSCOW
from wording.spreadsheet import safe_cell

_COLUMNS = ("Раздел", "Имя", "Возраст", "Дата", "Шкала", "Балл", "Максимум", "Вывод")


def to_csv(data: ReportData) -> bytes:
    """One line for each scale, as Russian spreadsheets open it: UTF-8 with a mark, semicolons, decimal commas."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for part in data.sections:
        about = (part.section.label, _cell(part.person), _cell(part.age), moscow_date(part.completed_at))
        for result in part.results:
            score = _cell(result.score).replace(".", ",")
            writer.writerow([*about, result.scale.title, score, result.scale.maximum, result.band.label])
    return text.getvalue().encode("utf-8-sig")


def to_json(data: ReportData) -> bytes:
    """One object; scores are numbers or `null`, times ISO 8601 in Moscow, bands and scales their stored keys."""
    content = {
        "assessment_id": str(data.assessment_id),
        "name": data.name,
        "completed_at": data.completed_at and data.completed_at.astimezone(MOSCOW).isoformat(timespec="seconds"),
        "sections": [_section(part) for part in data.sections],
        "worries": {group.area.value: list(group.tags) for group in data.worries},
        "disclaimer": "Не является медицинским документом",
    }
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def _section(part: SectionResults) -> dict[str, Any]:
    return {
        "section": part.section.value,
        "name": part.person,
        "age": part.age,
        "completed_at": part.completed_at and part.completed_at.astimezone(MOSCOW).isoformat(timespec="seconds"),
        "scales": [_scale(result) for result in part.results],
    }


def _scale(result: ScaleResult) -> dict[str, Any]:
    return {
        "scale": result.scale.key,
        "title": result.scale.title,
        "score": _number(result.score),
        "maximum": result.scale.maximum,
        "band": result.band.value,
        "label": result.band.label,
    }


def _number(score: Decimal | None) -> int | float | None:
    if score is None:
        return None
    return int(score) if score == score.to_integral_value() else float(score)


def _cell(value: object) -> str:
    return safe_cell("" if value is None else str(value))
