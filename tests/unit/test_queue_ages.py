"""How long a message waits, as the page about the queues says it."""

import pytest
from django.utils.translation import override

from bridge.admin_formats import age


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (-0.4, "0 с"),
        (59.9, "59 с"),
        (60, "1 мин"),
        (3599, "59 мин"),
        (3600, "1 ч"),
        (86_399, "23 ч"),
        (86_400, "1 дн"),
        (93_600_000, "1083 дн"),
    ],
)
def test_an_age_has_the_unit_that_people_would_use(seconds: float | None, text: str) -> None:
    with override("ru"):
        assert age(seconds) == text
