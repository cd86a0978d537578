import tomllib
from pathlib import Path
from typing import Any

import pytest

from reports.content.scales import KNOWN_BANDS, SCALES, Band, Scale
from reports.document.texts import STEPS, TEXTS_FILE, load_texts, report_texts, tie_words
from reports.errors import ReportTextsIncomplete

NBSP = "\N{NO-BREAK SPACE}"
# What a questionnaire cannot know, and what a worried parent should not read.
FORBIDDEN = ("диагностир", "болезн", "патолог", "отклонени", "ненормальн", "расстройств", "симптом", "виноваты вы")


@pytest.mark.parametrize("band", KNOWN_BANDS)
@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.key)
def test_every_scale_has_a_meaning_and_three_steps_in_every_band(scale: Scale, band: Band) -> None:
    advice = report_texts().advice[scale.key, band]
    assert 60 <= len(advice.meaning) <= 260
    assert len(advice.steps) == len(set(advice.steps)) == STEPS
    for text in (advice.meaning, *advice.steps):
        assert text.endswith((".", "!", "?", "»"))
        assert not any(word in text.lower() for word in FORBIDDEN)


def test_the_file_holds_no_text_for_a_scale_that_does_not_exist() -> None:
    content = tomllib.loads(TEXTS_FILE.read_text(encoding="utf-8"))
    assert set(content["scales"]) == {scale.key for scale in SCALES}
    assert all(set(bands) == set(KNOWN_BANDS) for bands in content["scales"].values())


def test_no_meaning_is_told_twice() -> None:
    meanings = [advice.meaning for advice in report_texts().advice.values()]
    assert len(meanings) == len(set(meanings)) == len(SCALES) * len(KNOWN_BANDS)


@pytest.mark.parametrize(
    ("old", "new", "gap"),
    [
        ("[scales.anxiety.borderline]", "[scales.anxious.borderline]", "scales.anxiety.borderline.meaning"),
        ("[sections.family]", "[sections.kin]", "sections.family.intro"),
        ('note = "Это', 'remark = "Это', "general.note"),
        ('note = "Это', 'note = 5\nremark = "Это', "general.note"),
        ('    "Благодарите друг друга за обычные вещи.",\n', "", "scales.family_stress.typical.steps"),
        ('    "Благодарите друг друга за обычные вещи.",\n', '    " ",\n', "scales.family_stress.typical.steps"),
    ],
)
def test_a_gap_in_the_file_is_named(tmp_path: Path, old: str, new: str, gap: str) -> None:
    text = TEXTS_FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "texts.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ReportTextsIncomplete) as caught:
        load_texts(path)
    assert any(line.startswith(f"{gap}:") for line in str(caught.value).splitlines())


def test_every_gap_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "texts.toml"
    path.write_text("[general]\n")
    with pytest.raises(ReportTextsIncomplete) as caught:
        load_texts(path)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 6 + len(KNOWN_BANDS) + 2 * 3 + 2 * len(SCALES) * len(KNOWN_BANDS)


@pytest.mark.parametrize("content", [b"[general", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "texts.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReportTextsIncomplete, match=r"texts\.toml cannot be read"):
        load_texts(path)


@pytest.mark.parametrize(
    ("text", "tied"),
    [
        ("Это не\n  вина", f"Это не{NBSP}вина"),
        ("и в доме — тепло", f"и{NBSP}в{NBSP}доме{NBSP}— тепло"),
        ("10 минут", f"10{NBSP}минут"),
        ("«я в школе»", f"«я{NBSP}в{NBSP}школе»"),
        ("совсем недавно", "совсем недавно"),
    ],
)
def test_short_words_dashes_and_numbers_are_tied(text: str, tied: str) -> None:
    assert tie_words(text) == tied


def test_texts_are_plain_text() -> None:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [leaf for part in value.values() for leaf in leaves(part)]
        return [leaf for part in value for leaf in leaves(part)] if isinstance(value, list) else [value]

    for text in leaves(tomllib.loads(TEXTS_FILE.read_text(encoding="utf-8"))):
        assert not set(text) & set("<>{}&\"'\t"), text
