"""Who gets no connection to Postgres, a worker's child, the bridge, a web process, asks web processes to do with fewer.

Whoever pays or looks waits a moment, or is told to come again; what waits for a worker would be late.
"""

import logging

from django.core.cache import cache

logger = logging.getLogger(__name__)

# It is repeated while it holds, about once a second.
LASTS_SECONDS = 10
_KEY = "place-wanted"


def ask_for_a_place() -> None:
    try:
        cache.set(_KEY, 1, LASTS_SECONDS)
    except Exception as error:  # noqa: BLE001 - a courtesy: without Redis there is no task to start, either.
        logger.debug("nobody could be asked for a place in Postgres: %s", error)


def is_a_place_wanted() -> bool:
    try:
        return bool(cache.get(_KEY))
    except Exception as error:  # noqa: BLE001 - as above.
        logger.debug("nobody could be asked whether a place in Postgres is wanted: %s", error)
        return False
