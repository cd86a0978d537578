"""The documents say the same in both languages, and point at things that exist."""

import re

import pytest

from sandbox.packages import CHECKOUT

DOCUMENTS = sorted(
    str(path.relative_to(CHECKOUT)) for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]
)


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)


def shape(text: str) -> list[str]:
    """The order of headings, lists and tables, and what stands in code quotes in each table row's first cell."""
    outline = []
    for line in re.sub(r"^```.*?^```$", "code", text, flags=re.MULTILINE | re.DOTALL).splitlines():
        kind = re.match(r"#+ |\| |- |\d\. |code", line)
        if kind:
            codes = re.findall(r"`[^`]+`", line.split("|")[1]) if line.startswith("| ") else []
            outline.append(" ".join([kind[0].strip(), *codes]))
    return outline


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_both_readmes_have_the_same_parts_in_the_same_order() -> None:
    english, russian = read("README.md"), read("README.ru.md")
    assert len(shape(english)) > 80
    assert shape(english) == shape(russian)


def test_both_readmes_show_the_same_commands() -> None:
    blocks = code_blocks(read("README.md"))
    assert len(blocks) >= 4
    assert blocks == code_blocks(read("README.ru.md"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (CHECKOUT / name).parent / path if path else CHECKOUT / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_every_decision_is_listed() -> None:
    records = {path.name for path in (CHECKOUT / "docs" / "adr").glob("0*.md")}
    listed = set(re.findall(r"\]\((0\d{3}-[^)]+)\)", read("docs/adr/README.md")))
    assert records
    assert records == listed
