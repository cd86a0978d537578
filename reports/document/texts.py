"""The report's texts, from `texts.toml`: content that a psychologist edits, checked for gaps when it is loaded."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reports.content.scales import KNOWN_BANDS, SCALES, Band, Section
from reports.errors import ReportTextsIncomplete
from wording.russian import NBSP

TEXTS_FILE = Path(__file__).parent / "texts.toml"
STEPS = 3
_GENERAL = ("note", "help", "unknown", "total", "worries", "nobody")

# A line must not end with a short preposition or particle, nor start with a dash, nor part a number from its noun.
_SHORT_WORD = re.compile(r"(?<![^\s«(])([А-Яа-яЁё]|не|ни|на|по|за|из|от|до|во|со|ко|об)\s+(?=\S)", re.IGNORECASE)
_DASH = re.compile(r"\s+(?=[—–])")
_NUMBER = re.compile(r"(?<=\d)\s+(?=[а-яё])")


@dataclass(frozen=True, slots=True)
class Advice:
    """What is said about a scale in one band: the meaning and three things to do."""

    meaning: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SectionTexts:
    title: str
    intro: str


@dataclass(frozen=True, slots=True)
class ReportTexts:
    """Everything the document says that does not come from the database."""

    note: str
    help: str
    unknown: str
    total: str
    worries: str
    nobody: str
    bands: Mapping[Band, str]
    sections: Mapping[Section, SectionTexts]
    advice: Mapping[tuple[str, Band], Advice]


@cache
def report_texts() -> ReportTexts:
    """The texts as shipped, read once a process."""
    return load_texts(TEXTS_FILE)


def load_texts(path: Path) -> ReportTexts:
    """Read a file of texts. Raises `ReportTextsIncomplete` with one line for each gap, or when it is no TOML."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReportTextsIncomplete(f"{path.name} cannot be read: {error}") from error
    reader = _Reader(content)
    general = {name: reader.text("general", name) for name in _GENERAL}
    bands = {band: reader.text("bands", band) for band in KNOWN_BANDS}
    sections = {
        section: SectionTexts(reader.text("sections", section, "title"), reader.text("sections", section, "intro"))
        for section in Section
    }
    advice = {
        (scale.key, band): Advice(
            meaning=reader.text("scales", scale.key, band, "meaning"),
            steps=reader.steps("scales", scale.key, band, "steps"),
        )
        for scale in SCALES
        for band in KNOWN_BANDS
    }
    if reader.gaps:
        raise ReportTextsIncomplete(f"{path.name} is incomplete:\n" + "\n".join(reader.gaps))
    return ReportTexts(**general, bands=bands, sections=sections, advice=advice)


def tie_words(text: str) -> str:
    """Collapse white space, and tie to their neighbours what Russian typography wants tied."""
    line = _SHORT_WORD.sub(rf"\1{NBSP}", " ".join(text.split()))
    return _NUMBER.sub(NBSP, _DASH.sub(NBSP, line))


class _Reader:
    """Looks texts up by their place in the file, and notes what is missing instead of stopping at the first gap."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.gaps: list[str] = []

    def text(self, *path: str) -> str:
        value = self._value(path)
        if isinstance(value, str) and value.strip():
            return tie_words(value)
        self.gaps.append(f"{'.'.join(path)}: a text is missing")
        return ""

    def steps(self, *path: str) -> tuple[str, ...]:
        value = self._value(path)
        if isinstance(value, list):
            steps = tuple(tie_words(step) for step in value if isinstance(step, str) and step.strip())
            if len(steps) == len(value) == STEPS:
                return steps
        self.gaps.append(f"{'.'.join(path)}: {STEPS} texts are expected")
        return ()

    def _value(self, path: tuple[str, ...]) -> object:
        value: object = self._content
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value
