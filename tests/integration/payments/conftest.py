"""What most tests of payments begin with: what there is to buy, who buys it, and YooKassa.

Models can be imported once Django is set up, which is after this file is read: so each fixture imports its own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from sandbox.yookassa import YooKassaServer
from tests.support.databases import ClonedDatabase

if TYPE_CHECKING:
    from tests.support.bookings import Buyer
    from tests.support.payment_calls import Catalogue, Customer


@pytest.fixture
def catalogue(database: ClonedDatabase) -> "Catalogue":
    from tests.support.payment_calls import make_catalogue  # noqa: PLC0415

    return make_catalogue()


@pytest.fixture
def customer(database: ClonedDatabase) -> "Customer":
    from tests.support.payment_calls import Customer  # noqa: PLC0415

    return Customer()


@pytest.fixture
def anna(catalogue: "Catalogue", yookassa: YooKassaServer) -> "Buyer":
    """Somebody who is about to book a consultation at the page of the front end."""
    from tests.support.bookings import buyer  # noqa: PLC0415

    return buyer(catalogue, yookassa)


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    """YooKassa where a payment is started by `start_payment`, without a front end."""
    from tests.support.payment_deliveries import shop_at_yookassa  # noqa: PLC0415

    with shop_at_yookassa(settings) as server:
        yield server


@pytest.fixture
def wait_as_in_production(database: ClonedDatabase, settings: Settings) -> None:
    from tests.support.bookings import WAIT  # noqa: PLC0415

    settings.APPOINTMENT_WAIT_SECONDS = WAIT
