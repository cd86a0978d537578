import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from reports.content.samples import SAMPLES
from reports.document.rendering import render
from reports.models import Kind


def rows(sample: str) -> list[dict[str, str]]:
    content = render(SAMPLES[sample], Kind.CSV).content
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))


def test_the_table_has_a_line_for_each_scale() -> None:
    data = SAMPLES["full"]
    lines = rows("full")
    results = [result for section in data.sections for result in section.results]
    assert [line["Шкала"] for line in lines] == [result.scale.title for result in results]
    assert lines[0] == {
        "Раздел": "Ребёнок",
        "Имя": "Мария",
        "Возраст": "9",
        "Дата": "23 ноября 2026".replace(" ", "\N{NO-BREAK SPACE}"),
        "Шкала": "Эмоциональные трудности",
        "Балл": "13",
        "Максимум": "20",
        "Вывод": "Тревожно",
    }


def test_the_table_is_one_that_a_russian_spreadsheet_opens() -> None:
    content = render(SAMPLES["older"], Kind.CSV).content
    assert content.startswith(b"\xef\xbb\xbf")
    assert [line["Балл"] for line in rows("older")][:4] == ["5", "14", "", "8,5"]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+7", "-1", "@SUM(A1)"])
def test_a_name_is_no_formula_of_a_spreadsheet(name: str) -> None:
    data = SAMPLES["family"]
    data = replace(data, sections=(replace(data.sections[0], person=name),))
    content = render(data, Kind.CSV).content.decode("utf-8-sig")
    for line in csv.DictReader(io.StringIO(content), delimiter=";"):
        assert line["Имя"] == f"'{name}"


def test_json_carries_keys_and_numbers() -> None:
    content = json.loads(render(SAMPLES["older"], Kind.JSON).content)
    assert content["assessment_id"] == str(SAMPLES["older"].assessment_id)
    (section,) = content["sections"]
    scores = {scale["scale"]: (scale["score"], scale["band"]) for scale in section["scales"]}
    assert scores["hyperactivity"] == (8.5, "typical")
    assert scores["peer_problems"] == (None, "unknown")
    assert section["completed_at"] is None
    assert json.loads(render(SAMPLES["full"], Kind.JSON).content)["completed_at"] == "2026-11-23T14:30:00+03:00"


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.PDF])
def test_every_sample_has_files_for_programs(sample: str, kind: Kind) -> None:
    rendered = render(SAMPLES[sample], kind)
    assert rendered.extension == kind
    assert rendered.pages is None
    assert rendered.preview == b""
    assert rendered.content == render(SAMPLES[sample], kind).content


@pytest.mark.parametrize("sample", ["full", "older"])
def test_the_command_writes_a_sample_without_a_database(sample: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    call_command("render_report", sample=sample, kind="json", output=path, stdout=io.StringIO())
    assert path.read_bytes() == render(SAMPLES[sample], Kind.JSON).content


def test_the_command_says_where_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("render_report", sample="full", kind="csv", output=tmp_path / "nowhere" / "report.csv")
