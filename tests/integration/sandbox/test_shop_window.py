"""What a newcomer meets first in the demo shop: clicks that succeed."""

from uuid import UUID

import pytest

from sandbox.shop import window

pytestmark = pytest.mark.usefixtures("seeded_database")


def test_the_first_family_has_reports_that_can_be_made() -> None:
    first, *_others = window.families()
    shown = window.assessments(first.user_id)
    assert len(shown) > 1
    assert all(one.has_results for one in shown)


def test_all_families_are_there_and_those_without_results_come_last() -> None:
    have = [any(one.has_results for one in window.assessments(family.user_id)) for family in window.families()]
    assert len(have) == 4
    assert have == sorted(have, reverse=True)


def test_where_results_are_still_being_calculated_the_shop_knows() -> None:
    unscored = [
        one for family in window.families() for one in window.assessments(family.user_id) if not one.has_results
    ]
    assert [one.id for one in unscored] == [UUID("c0000000-0000-4000-8000-000000000006")]
