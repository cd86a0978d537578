"""How long a service that is away is left alone before it is asked again. Pure."""

from django.conf import settings

from bridge.errors import Away

# Whoever tries a wrong password more often is locked out by providers, so not even a sandbox does.
REFUSED_SECONDS = 60.0
MOST_SECONDS = 30.0
# To ask a server that cannot be reached costs nobody anything, and the first mail is to leave within 5 seconds.
MOST_AWAY_SECONDS = 3.0


def pause(kind: str, probes: int) -> float:
    """Seconds until the next probe after so many of them: 1, 2, 4 … 30, for one that is not reached 1, 2, 3, 3 …"""
    if kind == Away.REFUSED:
        return REFUSED_SECONDS
    most = MOST_AWAY_SECONDS if kind == Away.AWAY else MOST_SECONDS
    return min(2.0 ** min(probes, 10), most) * float(settings.BRIDGE_DELAY_SCALE)
