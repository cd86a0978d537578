"""A worker whose children all hang must not look alive."""

from types import SimpleNamespace

import pytest

from balansity.celery.heart import MARGIN_SECONDS, UNLIMITED_SECONDS, all_children_hang

NOW = 1_000_000.0


def running(seconds: float, *, limit: float | None = 60.0, of_task: float | None = None) -> SimpleNamespace:
    task = SimpleNamespace(time_limit=of_task)
    return SimpleNamespace(time_start=NOW - seconds, time_limits=(limit, None), task=task)


@pytest.mark.parametrize(
    ("requests", "children", "hang"),
    [
        ([], 2, False),
        ([running(61 + MARGIN_SECONDS)], 2, False),
        ([running(61 + MARGIN_SECONDS), running(1)], 2, False),
        ([running(61 + MARGIN_SECONDS), running(59 + MARGIN_SECONDS)], 2, False),
        ([running(61 + MARGIN_SECONDS)] * 2, 2, True),
        ([running(61 + MARGIN_SECONDS)], 1, True),
        ([running(61 + MARGIN_SECONDS, limit=None, of_task=120.0)], 1, False),
        ([running(121 + MARGIN_SECONDS, limit=None, of_task=120.0)], 1, True),
        ([running(UNLIMITED_SECONDS, limit=None)], 1, False),
        ([running(UNLIMITED_SECONDS + MARGIN_SECONDS + 1, limit=None)], 1, True),
        # Handed to a child, and not begun.
        ([SimpleNamespace(time_start=None, time_limits=(60.0, None), task=None)], 1, False),
    ],
)
def test_it_hangs_when_each_child_runs_for_longer_than_any_task_may(
    requests: list[SimpleNamespace], children: int, hang: bool
) -> None:
    assert all_children_hang(requests, children=children, now=NOW) is hang
