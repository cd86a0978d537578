"""What the doctor concludes from the answers of workers, and from pgmq's version, is what can be relied on."""

import pytest

from bridge.doctor.processes import _not_moving, _unserved
from bridge.doctor.queues import _about_version

EMAIL, OTHER = {"w1@a": [{"name": "email"}]}, {"w2@a": [{"name": "reports"}]}


def test_a_line_that_nobody_takes_from_is_told_whatever_else_is_taken() -> None:
    assert [finding.values["line"] for finding in _unserved(["email", "reports"], EMAIL)] == ["reports"]
    assert list(_unserved(["email", "reports"], {**EMAIL, **OTHER})) == []


@pytest.mark.parametrize(
    ("active", "told"),
    [
        ({}, ["email"]),
        ({"w1@a": []}, ["email"]),
        ({"w1@a": [{"id": "x"}]}, []),
        ({"w1@a": [{"id": "x"}], "w2@a": []}, []),
    ],
)
def test_a_line_stands_only_while_its_own_worker_has_nothing_to_do(
    active: dict[str, list[object]], told: list[str]
) -> None:
    assert [finding.values["line"] for finding in _not_moving({"email"}, {**EMAIL, **OTHER}, active)] == told


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("1.4.3", "queues.pgmq_too_old"),
        ("1.4.4", None),
        ("1.13.2", None),
        ("1.14.0", "queues.pgmq_newer"),
        ("2.0", "queues.pgmq_newer"),
    ],
)
def test_a_version_of_pgmq_that_was_not_tried_is_told(version: str, code: str | None) -> None:
    assert [finding.code for finding in _about_version(version)] == ([code] if code else [])
