"""What web and worker look at when they start: whether there is reason to refuse, or to warn."""

import logging

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from bridge.errors import AddressRefused
from bridge.rights import find_troubles
from bridge.trouble.explain import explain

logger = logging.getLogger(__name__)


def look_around(*, repeats: bool = False) -> None:
    """Log what is wrong around us; raises `AddressRefused` when `DATABASE_URL` must not be used.

    A process that `repeats` what another of its kind has said of the same variables leaves that out.

    Leaves no connection open: the processes that fork next must not share one. What cannot be looked at because
    Postgres is away, each process looks at when it connects.
    """
    for warning in () if repeats else settings.START_WARNINGS:
        logger.warning("%s", warning)
    _look_at_redis()
    try:
        for trouble in find_troubles():
            logger.error("%s", trouble)
    except AddressRefused:
        raise
    except (OperationalError, InterfaceError) as error:
        found = explain(error)
        if found is not None and found.is_mistake:
            logger.error("%s", found)
        else:
            logger.warning("Postgres does not answer yet: %s", " ".join(str(error).split()))
    finally:
        connections.close_all()


def _look_at_redis() -> None:
    """Name what a person has to change; that it is away shows by itself, and passes."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        found = explain(error)
        if found is not None and found.is_mistake:
            logger.error("%s", found)
