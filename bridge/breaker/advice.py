"""What to do about a service that is away, by the kind of its trouble, for staff and for the log."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from bridge.errors import Away

ADVICE: dict[str, str | Promise] = {
    Away.AWAY: gettext_lazy(
        "Nothing is lost, and work goes on by itself within seconds after it is back. If that takes long, look at "
        "the provider's status page, and at the way out of this machine: DNS, firewall, proxy."
    ),
    Away.SERVER_ERROR: gettext_lazy(
        "Nothing is lost, and work goes on by itself once the provider has mended it. If that takes long, look at its "
        "status page or ask its support."
    ),
    Away.QUOTA: gettext_lazy(
        "Nothing is lost, and work goes on by itself once the provider takes more from us. If that takes long, have "
        "the limit of the account raised."
    ),
    Away.REFUSED: gettext_lazy(
        "Somebody has to mend this: check the credentials and the account with the provider, and restart the "
        "processes if a setting was changed. Nothing is lost; it is tried once a minute."
    ),
}


def advice(kind: str) -> str:
    """In the active language."""
    return str(ADVICE.get(kind, ADVICE[Away.AWAY]))


_KINDS: dict[str, str | Promise] = {
    Away.AWAY: gettext_lazy("no answer"),
    Away.SERVER_ERROR: gettext_lazy("the service itself fails"),
    Away.QUOTA: gettext_lazy("too many requests of ours"),
    Away.REFUSED: gettext_lazy("it refuses us"),
}


def kind_name(kind: str) -> str:
    """In the active language."""
    return str(_KINDS.get(kind, kind))
