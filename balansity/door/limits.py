"""How often the password of the admin may be tried: by one address, and for one name."""

import unicodedata

from django.conf import settings

from balansity.counting import Limit, MistakeCounter


def address_limit() -> Limit:
    return Limit("address", settings.ADMIN_LOGINS_PER_MINUTE, 60)


def name_limit() -> Limit:
    return Limit("name", settings.ADMIN_LOGINS_PER_HOUR, 3600)


def name_key(name: str) -> str:
    """One person however they write their name: what is counted must not depend on capitals or on compositions."""
    return unicodedata.normalize("NFKC", name[:1000]).strip().casefold()


attempts = MistakeCounter()
