"""The documents say the same in both languages, and point at things that exist."""

import re

import pytest

from balansity.processes import LINES
from sandbox.packages import CHECKOUT, packages

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


def test_decisions_are_listed_by_their_numbers_and_titles() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\((0\d{3}-[^)]+)\) \| (.+) \|$", read("docs/adr/README.md"), re.MULTILINE)
    numbers = [int(number) for number, _file, _title in rows]
    assert numbers == sorted(set(numbers))
    assert [int(file[:4]) for _number, file, _title in rows] == numbers


def test_operations_have_a_way_to_each_section() -> None:
    beginning, *sections = re.split(r"^## ", read("docs/operations.md"), flags=re.MULTILINE)
    assert re.findall(r"\[([^]]+)\]\(#", beginning) == [section.partition("\n")[0] for section in sections]


def test_nobody_is_told_to_start_a_process_by_another_line() -> None:
    """What messages advise, and the documents where they do not speak of a worker for some queues alone."""
    told = {"celery -A balansity inspect active_queues", "celery -A balansity inspect ping"}
    known = {" ".join(line) for line in LINES.values()} | told
    texts = [path.read_text(encoding="utf-8") for name in packages() for path in (CHECKOUT / name).rglob("*.py")]
    found = {
        line for text in [*texts, *map(read, DOCUMENTS)] for line in re.findall(r"celery -A [\w@%. -]*[\w%]", text)
    }
    assert found >= {" ".join(LINES["worker"])}
    assert [line for line in found if not any(line == one or line.startswith(f"{one}. ") for one in known)] == []


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_readme_has_the_defaults_of_the_example(readme: str) -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.+)$", read(".env.example"), re.MULTILINE))
    compared = 0
    for names, default in re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| ([^|]*) \|", read(readme), re.MULTILINE):
        several = re.findall(r"[A-Z_]+", names)
        values = default.split(", ") if len(several) > 1 else [default]
        for name, value in zip(several, values, strict=len(values) > 1):
            if name in example and name != "REDIS_URL":
                assert value.strip("`") == example[name], name
                compared += 1
    assert compared > 40
