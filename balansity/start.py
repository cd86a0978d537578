"""What web and worker look at when they start: whether there is reason to refuse, or to warn."""

import logging

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from bridge.errors import AddressRefused
from bridge.rights import find_troubles

logger = logging.getLogger(__name__)


def look_around() -> None:
    """Log what is wrong around us; raises `AddressRefused` when `DATABASE_URL` must not be used.

    Leaves no connection open: the processes that fork next must not share one. What cannot be looked at because
    Postgres is away, each process looks at when it connects.
    """
    for warning in settings.START_WARNINGS:
        logger.warning("%s", warning)
    try:
        for trouble in find_troubles():
            logger.error("%s", trouble)
    except AddressRefused:
        raise
    except (OperationalError, InterfaceError) as error:
        logger.warning("Postgres does not answer yet: %s", " ".join(str(error).split()))
    finally:
        connections.close_all()
