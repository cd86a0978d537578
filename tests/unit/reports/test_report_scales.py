import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from reports.content.data import ScaleResult
from reports.content.loading import full_years
from reports.content.samples import SAMPLES
from reports.content.scales import (
    KNOWN_BANDS,
    SCALE_BY_KEY,
    TOTAL,
    Band,
    Section,
    band_of_status,
    read_score,
    was_skipped,
)
from reports.document.charts import BAR_WIDTH, bar_length, draw_chart
from reports.document.typesetting import ASSETS
from reports.document.wording import age_words, moscow_date, printable, score_words

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("status", "band"),
    [
        ("typical", Band.TYPICAL),
        ("low_impact", Band.TYPICAL),
        ("borderline", Band.BORDERLINE),
        ("medium_impact", Band.BORDERLINE),
        ("concerning", Band.CONCERNING),
        ("high_impact", Band.CONCERNING),
        *((other, Band.UNKNOWN) for other in ("unknown", "", "TYPICAL", "completed", None)),
    ],
)
def test_both_vocabularies_of_statuses_are_read(status: str | None, band: Band) -> None:
    assert band_of_status(status) is band


@pytest.mark.parametrize(
    ("stored", "score"),
    [
        ("13", "13"),
        ("13.0", "13"),
        ("0", "0"),
        ("-0", "0"),
        (" 7 ", "7"),
        ("12.54", "12.5"),
        *((bad, None) for bad in ("-1", "-0.5", "1000", "1e400", "NaN", "Infinity", "", "many", "[1, 2]", None)),
        # Python would take them, and nobody meant them.
        *((bad, None) for bad in ("1e2", "1_0", "١٣", "+7")),
    ],
)
def test_a_stored_score_is_a_number_within_reason_or_no_data(stored: str | None, score: str | None) -> None:
    read = read_score(stored)
    assert (None if read is None else str(read)) == score
    assert was_skipped(stored) == (stored in {"-1", "-0.5"})


@given(st.text(max_size=40))
def test_no_stored_text_breaks_the_reading_of_a_score(stored: str) -> None:
    score = read_score(stored)
    assert score is None or 0 <= score < 1000
    result = ScaleResult(TOTAL, score, Band.UNKNOWN)
    assert score_words(result)
    assert 0 <= (bar_length(result, 100) or 0) <= 100


@pytest.mark.parametrize(
    ("score", "words"),
    [("13", f"13{NBSP}из{NBSP}20"), ("8.5", f"8,5{NBSP}из{NBSP}20"), ("20", f"20{NBSP}из{NBSP}20"), ("25", "25")],
)
def test_a_score_is_said_with_its_maximum_unless_it_exceeds_it(score: str, words: str) -> None:
    assert score_words(ScaleResult(SCALE_BY_KEY["emotional"], Decimal(score), Band.TYPICAL)) == words


@pytest.mark.parametrize(
    ("age", "words"),
    [
        *((0, "меньше года"), (1, "1 год"), (2, "2 года"), (4, "4 года"), (5, "5 лет"), (11, "11 лет")),
        *((12, "12 лет"), (14, "14 лет"), (21, "21 год"), (22, "22 года"), (111, "111 лет"), (None, "")),
    ],
)
def test_an_age_takes_the_right_form(age: int | None, words: str) -> None:
    assert age_words(age).replace(NBSP, " ") == words


@pytest.mark.parametrize(
    ("dob", "moment", "years"),
    [
        # In Moscow the birthday has begun.
        (date(2017, 9, 18), datetime(2026, 9, 17, 21, 0, tzinfo=UTC), 9),
        (date(2017, 9, 18), datetime(2026, 9, 17, 20, 59, tzinfo=UTC), 8),
        (date(2020, 2, 29), datetime(2027, 2, 28, 12, 0, tzinfo=UTC), 6),
        (date(2020, 2, 29), datetime(2027, 3, 1, 12, 0, tzinfo=UTC), 7),
        (date(2030, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), None),
        (date(1900, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), None),
        (None, datetime(2026, 1, 1, tzinfo=UTC), None),
        (date(2020, 1, 1), None, None),
    ],
)
def test_an_age_is_counted_in_full_years_at_completion(
    dob: date | None, moment: datetime | None, years: int | None
) -> None:
    assert full_years(dob, moment) == years


def test_a_date_is_the_one_in_moscow() -> None:
    assert moscow_date(datetime(2026, 11, 22, 21, 30, tzinfo=UTC)) == f"23{NBSP}ноября{NBSP}2026"
    assert moscow_date(None) == ""


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_chart_says_in_words_all_that_it_shows(sample: str) -> None:
    for section in SAMPLES[sample].sections:
        chart = draw_chart(section, title="Раздел")
        assert len(chart.rows) == len(section.results)
        for row, result in zip(chart.rows, section.results, strict=True):
            assert f"{result.scale.title}: {score_words(result)}, {result.band.label.lower()}" in chart.description
            assert [step.band for step in row.steps if step.active] == [
                band for band in KNOWN_BANDS if band == result.band
            ]
            assert (row.filled is None) == (result.score is None)
            assert 0 <= (row.filled or 0) <= BAR_WIDTH


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_chart_draws_every_bar_and_step_and_stays_inside_its_edges(sample: str) -> None:
    for section in SAMPLES[sample].sections:
        chart = draw_chart(section, title="Раздел")
        lines = [
            (float(x), float(y), float(length), stroke.width / 2)
            for stroke in chart.strokes
            for x, y, length in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)", stroke.path)
        ]
        known = [row for row in chart.rows if row.filled is not None]
        steps = [step for row in chart.rows for step in row.steps]
        off = sum(not step.active for step in steps)
        assert len(lines) == len(known) + sum(bool(row.filled) for row in known) + len(steps) + off
        assert len(chart.marks) == len(steps) - off
        for x, y, length, end in lines:
            # An outline as wide as the paper would be cut off by it.
            assert end <= x <= x + length + end < chart.width
            assert end <= y <= chart.height - end


def test_the_sum_has_no_steps_when_it_has_no_band() -> None:
    section = next(part for part in SAMPLES["full"].sections if part.section is Section.CHILD)
    last = draw_chart(section, title="").rows[-1]
    assert last.is_total
    assert last.steps == ()


def test_what_counts_as_printable_is_in_every_font() -> None:
    kept = {ord(character) for character in map(chr, range(0x30000)) if printable(character) == character}
    for name in (name for name in ASSETS if name.endswith(".ttf")):
        with TTFont(ASSETS[name][0]) as font:
            assert kept <= set(font.getBestCmap())
    assert set(map(ord, "АЯаяЁёІіЇїҚқӘәҒғAZaz09«»—–…№₽€-’.,!?()")) <= kept


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Мария 🦦", "Мария"),
        ("王小明", ""),
        ("Оля\N{NO-BREAK SPACE}№ 1", "Оля № 1"),
        ("Ня\N{COMBINING TILDE}ша", "Ня ша"),
    ],
)
def test_characters_that_no_font_has_are_left_out(text: str, printed: str) -> None:
    assert printable(text) == printed
