"""How a payer confirms: https://yookassa.ru/developers/payment-acceptance/getting-started/payment-process#user-confirmation"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.yookassa.errors import invalid

_NEEDS_RETURN_URL = ("redirect", "mobile_application")
_TYPES = ("embedded", "external", "mobile_application", "qr", "redirect")
_LONGEST = 2048
# An app's own scheme is allowed; what a browser would run is not: the stand-in's page leads there.
_DANGEROUS = ("javascript", "data", "vbscript")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the shop asked for; no `type` means that the payer confirms nothing, or chooses later."""

    type: str = ""
    return_url: str = ""
    enforce: bool | None = None

    def to_json(self, *, token: str, url: str) -> dict[str, Any] | None:
        match self.type:
            case "embedded":
                return {"type": "embedded", "confirmation_token": token}
            case "redirect":
                enforced = {} if self.enforce is None else {"enforce": self.enforce}
                return {"type": "redirect", "return_url": self.return_url, "confirmation_url": url, **enforced}
            case "qr":
                return {"type": "qr", "confirmation_data": url}
            case "mobile_application":
                return {"type": "mobile_application", "confirmation_url": url}
            case "external":
                return {"type": "external"}
        return None


def read_confirmation(raw: Any) -> Confirmation:
    """Raises `ApiError`."""
    if raw is None:
        return Confirmation()
    if not isinstance(raw, dict) or raw.get("type") not in _TYPES:
        raise invalid("confirmation.type", f"one of {', '.join(_TYPES)}")
    for name in raw:
        if name not in ("type", "locale", "return_url", "enforce"):
            raise invalid(f"confirmation.{name}", "unknown parameter")
    if raw.get("locale", "ru_RU") not in ("ru_RU", "en_US"):
        raise invalid("confirmation.locale", "one of ru_RU, en_US")
    if not isinstance(raw.get("enforce", False), bool):
        raise invalid("confirmation.enforce", "must be true or false")
    return Confirmation(str(raw["type"]), _return_url(raw), raw.get("enforce"))


def _return_url(raw: dict[str, Any]) -> str:
    url = raw.get("return_url")
    if url is None and raw["type"] not in _NEEDS_RETURN_URL:
        return ""
    if not isinstance(url, str) or len(url) > _LONGEST or not _leads_somewhere(url):
        raise invalid("confirmation.return_url", f"must be an address of at most {_LONGEST} characters")
    return url


def _leads_somewhere(url: str) -> bool:
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return False
    return bool(scheme) and scheme not in _DANGEROUS and url.isprintable()
