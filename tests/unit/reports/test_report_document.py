import io
import logging
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reports.content.data import Worries, WorryArea
from reports.content.loading import NAME_LENGTH, WORRIES_SHOWN, WORRY_LENGTH
from reports.content.samples import SAMPLES
from reports.content.scales import Section
from reports.document.composition import compose_html
from reports.document.made import Document
from reports.document.rendering import render
from reports.document.texts import report_texts
from reports.document.wording import score_words
from reports.models import Kind
from sandbox.packages import CHECKOUT
from tests.support.pdf_reading import PdfContent, read_pdf
from wording.plain_text import one_line

NBSP = "\N{NO-BREAK SPACE}"


class _Complaints(logging.Handler):
    """What was said while something was made."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@cache
def made(sample: str) -> tuple[Document, list[logging.LogRecord]]:
    """A sample as a document, and what was complained of meanwhile: each is drawn once for all tests."""
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        return render(SAMPLES[sample], Kind.PDF), complaints.records
    finally:
        logging.getLogger().removeHandler(complaints)


def rendered(sample: str) -> Document:
    document, _ = made(sample)
    return document


@cache
def with_a_price() -> Document:
    """A sample with a worry of its own."""
    return render(replace(SAMPLES["parent"], worries=(Worries(WorryArea.CHILD, ("№ 1 — 5 000 ₽ «Ёлка»",)),)), Kind.PDF)


@cache
def content(sample: str) -> PdfContent:
    return read_pdf(rendered(sample).content)


@pytest.fixture(scope="module", autouse=True)
def _drawn_once() -> Iterator[None]:
    """For who hands out the tests of this file: they share something, so one fork does them all."""
    yield
    made.cache_clear()
    with_a_price.cache_clear()
    content.cache_clear()


def plain(text: str) -> str:
    return " ".join(text.replace(NBSP, " ").split())


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_becomes_a_document_without_a_complaint(sample: str) -> None:
    report, complaints = made(sample)
    assert report.extension == "pdf"
    assert report.content.startswith(b"%PDF-1.7")
    assert report.pages == content(sample).pages
    assert complaints == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_all_results_and_their_texts_are_printed(sample: str) -> None:
    texts = report_texts()
    text = content(sample).text
    for section in SAMPLES[sample].sections:
        assert plain(texts.sections[section.section].intro) in text
        for result in section.scales:
            assert result.scale.title in text
            assert plain(score_words(result)) in text
            assert result.band.label in text
            advice = texts.advice.get((result.scale.key, result.band))
            for words in (advice.meaning, *advice.steps) if advice else (texts.unknown,):
                assert plain(words) in text
    for group in SAMPLES[sample].worries:
        assert group.area.label in text
    assert plain(texts.note) in text
    assert text.count(plain(texts.help)) == 1


def test_the_cover_names_the_child_the_age_and_the_day() -> None:
    cover = content("full").page_texts[0]
    assert "Ваши результаты Мария, 9 лет 23 ноября 2026" in cover
    for words in ("Эмоции", "Поведение", "Социальное", "Активность", "Вы", "Семья", "а не диагноз"):
        assert words in cover
    for words in ("Что вас беспокоит", "Тревога перед школой", "Выгорание", "Мало времени вместе"):
        assert words in cover


def test_what_is_unknown_is_left_out() -> None:
    text = content("older").text
    assert "Ваши результаты Артём" in text
    assert "2026" not in text
    assert "лет" not in content("older").page_texts[0]
    assert "Влияние на жизнь" in text
    assert "Влияние на ребёнка" not in text
    assert "None" not in text


@pytest.mark.parametrize("sample", ["parent", "family", "child"])
def test_only_the_sections_with_results_are_there(sample: str) -> None:
    present = {section.section for section in SAMPLES[sample].sections}
    for section in Section:
        intro = plain(report_texts().sections[section].intro)
        assert (intro in content(sample).text) == (section in present)


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_page_has_a_footer(sample: str) -> None:
    pages = content(sample).page_texts
    for number, text in enumerate(pages, start=1):
        assert "Little Otter" in text
        assert "Не является медицинским документом" in text
        assert f"{number} из {len(pages)}" in text
        assert ("Little Otter · 23 ноября 2026" in text) == (SAMPLES[sample].completed_at is not None)


def test_the_usual_documents_are_as_long_as_they_were_designed() -> None:
    assert {sample: rendered(sample).pages for sample in ("full", "child", "parent", "family")} == {
        "full": 5,
        "child": 3,
        "parent": 2,
        "family": 2,
    }


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_screen_reader_finds_its_way(sample: str) -> None:
    found = content(sample)
    assert found.is_tagged
    assert found.language == "ru"
    assert plain(found.title) == plain(f"Ваши результаты — {SAMPLES[sample].sections[0].person}")
    assert found.tags.count("H1") == 1
    assert found.tags.count("H2") >= 1 + len(SAMPLES[sample].sections)
    assert {"P", "H3", "L", "LI"} <= set(found.tags) or sample == "skipped"
    # The otter, and a chart in each section.
    assert found.tags.count("Figure") == len(found.alternatives) == 1 + len(SAMPLES[sample].sections)
    assert "выдра" in found.alternatives[0]
    assert all(words.startswith("Диаграмма «") for words in found.alternatives[1:])


def test_the_document_says_that_it_is_accessible() -> None:
    assert 'pdfuaid:part="1"' in content("full").metadata


@pytest.mark.parametrize("sample", SAMPLES)
def test_all_fonts_are_ours_and_embedded(sample: str) -> None:
    assert content(sample).fonts == {"Report-Sans", "Report-Sans-Bold", "Report-Serif-Bold"}
    assert content(sample).loose_fonts == set()


def test_the_fonts_have_every_character_of_the_texts_and_of_prices() -> None:
    found = read_pdf(with_a_price().content)
    assert "№ 1 — 5 000 ₽ «Ёлка»" in found.text
    assert found.fonts == content("full").fonts


def test_the_preview_is_a_picture_of_the_first_page() -> None:
    picture = Image.open(io.BytesIO(rendered("full").preview))
    assert picture.format == "PNG"
    assert picture.size == (400, 566)
    assert len(picture.convert("RGB").getcolors(100_000) or []) > 20
    assert len(rendered("full").preview) < 40_000


def test_the_same_data_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "other"
    command = [sys.executable, "manage.py", "render_report", "--sample", "full", "-o", str(path)]
    # Words fall into another order there than here.
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    subprocess.run(command, check=True, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=60)
    assert sha256(path.read_bytes()).hexdigest() == sha256(rendered("full").content).hexdigest()


def test_other_data_give_other_bytes() -> None:
    assert with_a_price().content != rendered("parent").content


def test_threads_share_the_press() -> None:
    with ThreadPoolExecutor(4) as pool:
        contents = [one.content for one in pool.map(render, [SAMPLES["parent"]] * 4, [Kind.PDF] * 4)]
    assert set(contents) == {rendered("parent").content}


def _digest(sample: str) -> str:
    return sha256(render(SAMPLES[sample], Kind.PDF).content).hexdigest()


def test_a_forked_worker_makes_the_same_document_and_leaves_its_parent_the_fonts() -> None:
    before = sha256(rendered("parent").content).hexdigest()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_digest, ["parent"] * 2) == [before] * 2
    # Another document needs glyphs that no cache holds yet.
    assert _digest("family") == sha256(rendered("family").content).hexdigest()
    assert _digest("parent") == before


HOSTILE = (
    """<script>alert(1)</script>""",
    """"><img src="file:///etc/passwd">""",
    """</title></svg><h1>{{ data }}{% now "Y" %}""",
    """&lt;b&gt; &amp; ]]> -->""",
    """\N{RIGHT-TO-LEFT OVERRIDE}abc\N{ZERO WIDTH JOINER}\x00\x1b[31m""",
    "З\N{COMBINING DIAERESIS}" * 40,
    "имя" * 5000,
    "🦦 王小明 محمد",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_printed_as_text(text: str, caplog: pytest.LogCaptureFixture) -> None:
    name, tag = one_line(text, NAME_LENGTH), one_line(text, WORRY_LENGTH)
    sample = SAMPLES["child"]
    # A short one: what is printed of the name and of the worries is the same in each.
    section = replace(sample.sections[0], person=name, results=sample.sections[0].results[:1])
    data = replace(sample, name=name, sections=(section,), worries=(Worries(WorryArea.CHILD, (tag,) * 3, more=7),))
    html = compose_html(data)
    assert html.count("<script") == html.count("<img") == 0
    assert html.count("<h1") == 1
    found = read_pdf(render(data, Kind.PDF).content)
    assert found.tags.count("H1") == 1
    assert found.pages <= 3
    assert found.attachments == 0
    assert "…и ещё 7" in found.text
    assert not [record for record in caplog.records if "refused" in record.getMessage()]
    if text.isascii() and text.isprintable():
        assert plain(name).replace(" ", "") in found.page_texts[0].replace(" ", "")


def test_as_many_worries_as_are_shown_spread_over_pages_and_break_nothing() -> None:
    tags = tuple(f"{number} {'Ж' * (WORRY_LENGTH - 4)}" for number in range(WORRIES_SHOWN))
    data = replace(SAMPLES["parent"], worries=tuple(Worries(area, tags, 476) for area in WorryArea))
    found = read_pdf(render(data, Kind.PDF).content)
    assert found.pages <= content("parent").pages + 4
    for number in range(WORRIES_SHOWN):
        assert found.text.count(f" {number} ЖЖ") == len(WorryArea)
    assert found.text.count("…и ещё 476") == len(WorryArea)


@settings(max_examples=4, deadline=None)
@given(name=st.text(min_size=1, max_size=200), tag=st.text(min_size=1, max_size=200))
def test_no_name_and_no_worry_breaks_the_document(name: str, tag: str) -> None:
    sample = SAMPLES["parent"]
    line = one_line(name, NAME_LENGTH) or "Имя"
    data = replace(
        sample,
        name=line,
        sections=(replace(sample.sections[0], person=line),),
        worries=(Worries(WorryArea.PERSONAL, (one_line(tag, WORRY_LENGTH) or "тег",)),),
    )
    assert render(data, Kind.PDF).pages == 2
