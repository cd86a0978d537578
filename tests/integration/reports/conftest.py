"""Who asks for reports: the owners of two families with results, over HTTP.

Models can be imported once Django is set up, which is after this file is read: so each fixture imports its own.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.report_callers import Caller


@pytest.fixture
def anna() -> "Caller":
    from tests.support.report_callers import Caller  # noqa: PLC0415
    from tests.support.report_deliveries import ANNA  # noqa: PLC0415

    return Caller(ANNA)


@pytest.fixture
def igor() -> "Caller":
    from tests.support.report_callers import Caller  # noqa: PLC0415
    from tests.support.report_deliveries import IGOR  # noqa: PLC0415

    return Caller(IGOR)
