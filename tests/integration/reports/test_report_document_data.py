import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bridge.errors import PermanentError
from reports.content.data import ReportData, WorryArea
from reports.content.loading import NAME_LENGTH, WORRIES_SHOWN, WORRY_LENGTH, load_report
from reports.content.scales import Band, Section
from reports.document.rendering import render
from reports.errors import AssessmentMissing, AssessmentNotCompleted, NotCalculatedYet, NotTheOwner
from reports.models import Kind
from tests.support.databases import ClonedDatabase
from tests.support.pdf_reading import read_pdf

ANNA = UUID("a0000000-0000-4000-8000-000000000001")
IGOR = UUID("a0000000-0000-4000-8000-000000000002")
LEYLA = UUID("a0000000-0000-4000-8000-000000000003")
ALEKSANDRA = UUID("a0000000-0000-4000-8000-000000000004")
MARIA = UUID("b0000000-0000-4000-8000-000000000003")
TIMOFEY = UUID("b0000000-0000-4000-8000-000000000004")
AMINA = UUID("b0000000-0000-4000-8000-000000000009")


def assessment(number: int) -> UUID:
    return UUID(f"c0000000-0000-4000-8000-{number:012}")


def execute(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def complete(
    results: Any,
    *,
    profile: UUID | None = MARIA,
    kind: str = "checkup",
    at: str = "2026-11-23T11:30:00Z",
    **columns: Any,
) -> UUID:
    """Insert a completed assessment."""
    new = uuid4()
    execute(
        "INSERT INTO public.assessments (id, profile_id, assessment_type, status, results_summary, worry_tags,"
        " completed_at) VALUES (%s, %s, %s, 'completed', %s::jsonb, %s::jsonb, %s)",
        new,
        profile,
        kind,
        results if isinstance(results, str) else json.dumps(results),
        json.dumps(columns.get("worry_tags")),
        at,
    )
    return new


def scores(data: ReportData, section: Section) -> dict[str, tuple[Decimal | int | None, Band]]:
    found = next(part for part in data.sections if part.section is section)
    return {result.scale.key: (result.score, result.band) for result in found.results}


@pytest.fixture(autouse=True)
def _samples(seeded_database: ClonedDatabase) -> None:
    """All tests here read the sample families."""


def test_the_newer_shape_is_read_with_the_familys_other_sections() -> None:
    data = load_report(assessment(1), user_id=ANNA)
    assert data.name == "Мария"
    assert [part.section for part in data.sections] == [Section.CHILD, Section.PARENT]
    assert [part.person for part in data.sections] == ["Мария", "Анна"]
    assert scores(data, Section.CHILD) == {
        "emotional": (13, Band.CONCERNING),
        "conduct": (6, Band.TYPICAL),
        "peer_problems": (9, Band.BORDERLINE),
        "hyperactivity": (10, Band.BORDERLINE),
        "impact_child": (2, Band.BORDERLINE),
        "impact_parent": (4, Band.CONCERNING),
        "impact_family": (5, Band.TYPICAL),
        "total_difficulties": (38, Band.UNKNOWN),
    }
    assert scores(data, Section.PARENT) == {"anxiety": (4, Band.CONCERNING), "depression": (2, Band.BORDERLINE)}
    assert {group.area: group.tags for group in data.worries} == {
        WorryArea.CHILD: ("Тревога перед школой", "Плохой сон"),
        WorryArea.PERSONAL: ("Выгорание",),
        WorryArea.FAMILY: ("Мало времени вместе",),
    }


def test_the_older_shape_is_read_and_worries_come_from_the_profile() -> None:
    data = load_report(assessment(3), user_id=IGOR)
    child = scores(data, Section.CHILD)
    assert child["impact"] == (1, Band.BORDERLINE)
    assert not {"impact_child", "impact_parent", "impact_family", "prosocial"} & set(child)
    assert scores(data, Section.FAMILY)["family_stress"] == (3, Band.CONCERNING)
    assert [(group.area, group.tags) for group in data.worries] == [
        (WorryArea.CHILD, ("Конфликты со сверстниками", "Учёба"))
    ]


def test_a_report_of_a_parent_shows_the_childs_newest_results_too() -> None:
    data = load_report(assessment(2), user_id=ANNA)
    assert data.name == "Анна"
    assert [(part.section, part.person) for part in data.sections] == [
        (Section.CHILD, "Мария"),
        (Section.PARENT, "Анна"),
    ]


def test_the_newest_completed_assessment_of_each_type_counts() -> None:
    parent = {"anxiety": {"score": 0, "status": "typical"}}
    newest = complete(parent, profile=TIMOFEY, kind="parent", at="2200-01-01T00:00:00Z")
    complete(None, kind="parent", at="2199-01-01T00:00:00Z")
    for unusable in ({"status": "completed"}, ["anxiety"], '"anxiety"', {"anxiety": None}):
        complete(unusable, kind="parent", at="2199-01-02T00:00:00Z")
    stranger = UUID("b0000000-0000-4000-8000-000000000008")
    complete({"family_stress": {"score": 1, "status": "typical"}}, profile=stranger, kind="family")
    data = load_report(assessment(1), user_id=ANNA)
    assert scores(data, Section.PARENT) == {"anxiety": (0, Band.TYPICAL)}
    assert Section.FAMILY not in {part.section for part in data.sections}
    # A report is about its own assessment, even when there is a newer one of its type.
    assert scores(load_report(assessment(2), user_id=ANNA), Section.PARENT)["anxiety"] == (4, Band.CONCERNING)
    assert load_report(newest, user_id=ANNA).name == "Тимофей"


def test_the_age_is_counted_at_completion_for_a_child_with_a_known_birthday() -> None:
    results = {"emotional": {"score": 1, "status": "typical"}}
    for profile, at, age in (
        (MARIA, "2026-09-17T21:00:00Z", 9),
        (MARIA, "2026-09-17T20:00:00Z", 8),
        (UUID("b0000000-0000-4000-8000-000000000011"), "2026-09-17T20:00:00Z", None),
        (UUID("b0000000-0000-4000-8000-000000000001"), "2026-09-17T20:00:00Z", None),
    ):
        owner = ALEKSANDRA if profile.int & 0xFF == 0x11 else ANNA
        data = load_report(complete(results, profile=profile, at=at), user_id=owner)
        assert data.sections[0].age == age


@pytest.mark.parametrize(
    ("which", "user", "error"),
    [
        (99, ANNA, AssessmentMissing),
        (1, IGOR, NotTheOwner),
        (5, LEYLA, AssessmentNotCompleted),
        (7, ANNA, AssessmentNotCompleted),
    ],
)
def test_what_can_never_become_a_report_is_a_permanent_error(
    which: int, user: UUID, error: type[PermanentError]
) -> None:
    with pytest.raises(error) as caught:
        load_report(assessment(which), user_id=user)
    assert isinstance(caught.value, PermanentError)
    assert str(assessment(which)) in str(caught.value)


def test_somebody_elses_assessment_is_refused_before_its_state_is_told() -> None:
    with pytest.raises(NotTheOwner):
        load_report(assessment(5), user_id=ANNA)


def test_an_assessment_without_a_profile_belongs_to_nobody() -> None:
    new = complete({"emotional": {"score": 1, "status": "typical"}}, profile=None)
    with pytest.raises(NotTheOwner):
        load_report(new, user_id=ANNA)


@pytest.mark.parametrize(
    "results",
    [
        *(None, {}, [], "completed", 5, {"status": "completed"}, {"prosocial": {"score": 5, "status": "typical"}}),
        *({"emotional": None}, {"toString": {"score": 1}}, ["emotional"]),
    ],
    ids=json.dumps,
)
def test_results_that_are_not_there_yet_are_worth_another_try(results: Any) -> None:
    new = complete(json.dumps(results))
    with pytest.raises(NotCalculatedYet) as caught:
        load_report(new, user_id=ANNA)
    assert not isinstance(caught.value, PermanentError)
    assert str(new) in str(caught.value)


HOSTILE_RESULTS: dict[str, Callable[[], str]] = {
    "skipped": lambda: '{"emotional": {"score": -1, "status": "typical"}}',
    "texts": lambda: '{"emotional": {"score": "13", "status": 5}}',
    "bare": lambda: '{"emotional": 13, "conduct": "7", "hyperactivity": [1], "peer_problems": true}',
    "nested": lambda: '{"emotional": {"score": {"score": 1}, "status": ["typical"]}}',
    "wide": lambda: '{"emotional": {"score": 1' + "0" * 5000 + ', "status": "' + "x" * 100_000 + '"}}',
    "small": lambda: '{"emotional": {"score": 1e-300, "status": ""}}',
    "deep": lambda: '{"emotional": {"score": 5, "status": "typical"}, "x": ' + "[" * 3000 + "]" * 3000 + "}",
    "many": lambda: json.dumps({"emotional": {"score": 5}} | {f"key {n}": {"score": n} for n in range(5000)}),
    "html": lambda: json.dumps({"emotional": {"score": "<b>5</b>", "status": "<script>"}}),
}


@pytest.mark.parametrize("results", HOSTILE_RESULTS)
def test_whatever_a_user_writes_into_the_results_a_report_comes(results: str) -> None:
    # Of somebody with no other results: what is printed of those is the same in each.
    data = load_report(complete(HOSTILE_RESULTS[results](), profile=AMINA), user_id=LEYLA)
    found = read_pdf(render(data, Kind.PDF).content)
    assert "Эмоциональные трудности" in found.text
    assert "<script>" not in found.text
    assert render(data, Kind.CSV).content
    assert json.loads(render(data, Kind.JSON).content)


def test_a_skipped_scale_has_no_data() -> None:
    data = load_report(complete(HOSTILE_RESULTS["skipped"]()), user_id=ANNA)
    assert scores(data, Section.CHILD) == {"emotional": (None, Band.UNKNOWN)}
    assert "нет данных" in read_pdf(render(data, Kind.PDF).content).text


def test_names_and_worries_are_cleaned_and_cut() -> None:
    execute("UPDATE public.profiles SET first_name = %s WHERE id = %s", "Я\n" * 10_000, MARIA)
    tags = {
        "child": [f"тег {number}" for number in range(500)] + ["тег 1"],
        "personal": ["ы" * 10_000, "", "  ", 5, None, {"a": 1}, "два\nслова"],
        "family": "Ссоры",
        "other": ["лишнее"],
    }
    new = complete({"emotional": {"score": 1, "status": "typical"}}, worry_tags=tags)
    data = load_report(new, user_id=ANNA)
    assert len(data.name) == NAME_LENGTH
    assert data.name.endswith("…")
    child, personal = data.worries
    assert (len(child.tags), child.more) == (WORRIES_SHOWN, 500 - WORRIES_SHOWN)
    assert personal.tags == ("ы" * (WORRY_LENGTH - 1) + "…", "два слова")
    assert "…и ещё 482" in read_pdf(render(data, Kind.PDF).content).text


@pytest.mark.parametrize("tags", [[], {}, "x", 5, None, {"child": None}, {"child": {"a": 1}}, [["child"]]])
def test_worries_of_any_shape_are_no_obstacle(tags: Any) -> None:
    new = complete({"emotional": {"score": 1, "status": "typical"}}, worry_tags=tags)
    assert [group.tags for group in load_report(new, user_id=ANNA).worries] == [("Тревога перед школой", "Плохой сон")]


def test_tags_of_a_profile_in_several_dimensions_are_left_out() -> None:
    execute("UPDATE public.profiles SET worry_tags = ARRAY[ARRAY['а', 'б'], ARRAY['в', 'г']] WHERE id = %s", MARIA)
    new = complete({"emotional": {"score": 1, "status": "typical"}})
    assert load_report(new, user_id=ANNA).worries == ()


@pytest.mark.parametrize("when", ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "294276-01-01"])
def test_days_that_no_calendar_holds_are_unknown(when: str) -> None:
    execute("UPDATE public.profiles SET dob = %s::timestamp::date WHERE id = %s", when, MARIA)
    new = complete({"emotional": {"score": 1, "status": "typical"}}, at=when)
    data = load_report(new, user_id=ANNA)
    assert data.completed_at is None
    assert data.sections[0].age is None
    assert load_report(assessment(2), user_id=ANNA).completed_at is not None


def test_a_nameless_child_has_a_name_to_be_called_by() -> None:
    execute("UPDATE public.profiles SET first_name = ' ' WHERE id = %s", MARIA)
    assert load_report(assessment(1), user_id=ANNA).name == "Ваш ребёнок"


def test_the_command_writes_what_the_queue_would_store(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    out = StringIO()
    call_command("render_report", str(assessment(1)), "-o", str(path), stdout=out)
    assert path.read_bytes() == render(load_report(assessment(1), user_id=ANNA), Kind.PDF).content
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(path) in out.getvalue()
    assert "4 pages" in out.getvalue()


@pytest.mark.parametrize(
    ("which", "problem"), [(99, "there is no assessment"), (5, "in_progress"), (6, "not calculated yet")]
)
def test_the_command_says_why_there_is_no_report(which: int, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    with pytest.raises(CommandError, match=problem):
        call_command("render_report", str(assessment(which)), "-o", str(path))
    assert not path.exists()


def test_the_date_is_the_moment_of_completion() -> None:
    new = complete({"emotional": {"score": 1, "status": "typical"}})
    assert load_report(new, user_id=ANNA).completed_at == datetime(2026, 11, 23, 11, 30, tzinfo=UTC)
