"""What web and worker look at when they start: whether there is reason to refuse, or to warn."""

import logging

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from bridge.errors import AddressRefused

logger = logging.getLogger(__name__)


def look_around() -> None:
    """Raise `AddressRefused` when `DATABASE_URL` leads where no work may be done.

    Leaves no connection open: the processes that fork next must not share one. What cannot be looked at because
    Postgres is away, each process looks at when it connects.
    """
    for warning in settings.START_WARNINGS:
        logger.warning("%s", warning)
    try:
        connections["default"].ensure_connection()
    except AddressRefused:
        raise
    except (OperationalError, InterfaceError) as error:
        logger.warning("Postgres does not answer yet: %s", " ".join(str(error).split()))
    finally:
        connections.close_all()
