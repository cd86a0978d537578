"""What operators load into Grafana and Prometheus names metrics and labels that are told, and each of them is used."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from balansity.metrics.collector import EverythingCollector, all_parts
from sandbox.packages import CHECKOUT
from tests.unit.repository.test_documents import anchors

FOLDER = CHECKOUT / "docs" / "monitoring"

pytestmark = pytest.mark.usefixtures("database")

_NAME = re.compile(r"\bbalansity_[a-z_]+")
_SUFFIX = re.compile(r"_(total|bucket|sum|count)$")
_SELECTOR = re.compile(r"(balansity_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_BY = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")
_SHOWN = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def told() -> dict[str, set[str]]:
    """Each name that is exported and its labels."""
    families = EverythingCollector(all_parts()).collect()
    return {
        family.name: {*getattr(family, "_labelnames", ()), *({"le"} if family.type == "histogram" else ())}
        for family in families
    }


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))["panels"])


def targets() -> Iterator[tuple[str, str]]:
    for panel in panels():
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]


def names_in(expression: str, known: dict[str, set[str]]) -> set[str]:
    found = set()
    for name in _NAME.findall(expression):
        plain = name if name in known else _SUFFIX.sub("", name)
        assert plain in known, f"{name} is not told"
        found.add(plain)
    return found


def check_labels(expression: str, shown: set[str], known: dict[str, set[str]]) -> None:
    names = names_in(expression, known)
    for name, selectors in _SELECTOR.findall(expression):
        plain = name if name in known else _SUFFIX.sub("", name)
        assert set(_LABEL.findall(selectors)) <= known[plain], expression
    everything = set().union(*(known[name] for name in names)) if names else {"job", "instance"}
    grouped = {label.strip() for labels in _BY.findall(expression) for label in labels.split(",")}
    assert grouped <= everything, expression
    if " by (" in f" {expression}" and "sum by" in expression:
        # What is summed up has no other labels left.
        assert shown <= grouped, expression
    assert shown <= everything, expression


def test_the_alerts_name_what_is_told_and_say_what_to_do() -> None:
    known, seen = told(), set()
    headings = anchors((CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8"))
    for rule in alerts():
        assert rule["alert"] not in seen, f"{rule['alert']} twice"
        seen.add(rule["alert"])
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mhd]", rule["for"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        texts = rule["annotations"]
        assert set(texts) == {"summary", "description", "docs"}
        file, _, anchor = texts["docs"].partition("#")
        assert file == "docs/operations.md"
        assert anchor in headings, texts["docs"]
        check_labels(rule["expr"], set(_SHOWN.findall(texts["summary"] + texts["description"])), known)


def test_the_dashboard_names_what_is_told() -> None:
    known = told()
    for expression, legend in targets():
        check_labels(expression, set(_LEGEND.findall(legend)), known)


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    assert variables == {"datasource": "datasource", "queue": "query"}
    assert "id" not in board
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        wide, high = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(x, y) for x in wide for y in high}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_whatever_is_told_is_looked_at_by_one_of_both() -> None:
    known = told()
    expressions = [*(rule["expr"] for rule in alerts()), *(expression for expression, _ in targets())]
    assert set(known) == set().union(*(names_in(expression, known) for expression in expressions))


def test_the_document_has_each_name() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = {_SUFFIX.sub("", name) for name in _NAME.findall(text)} | set(_NAME.findall(text))
    assert set(told()) <= named
