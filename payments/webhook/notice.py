"""The body of a provider's notification, checked. It proves nothing: it only says which object to ask about."""

import json
import re
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, Self

from payments.errors import PaymentError

_EVENT = re.compile(r"[a-z_]{1,30}(?:\.[a-z_]{1,30}){1,2}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_EVENT = 64


class NoticeFault(StrEnum):
    """What a text lacks that is no notification."""

    NOT_JSON = "not_json"
    NO_NOTIFICATION = "no_notification"
    NO_EVENT = "no_event"
    NO_OBJECT = "no_object"


class InvalidNotice(PaymentError):
    """This is no notification."""

    code = "invalid_notification"

    def __init__(self, fault: NoticeFault) -> None:
        super().__init__(fault=fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification names: the provider's object, its payment there, and ours as far as the metadata tell.

    `external_payment_id` is empty for an object that is neither a payment nor a refund. `payment_id` comes from what
    we put into the metadata ourselves, and through the hands of whoever sent the notification.
    """

    event: str
    object_id: str
    external_payment_id: str = ""
    payment_id: uuid.UUID | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a body. Raises `InvalidNotice`. Events that are new to us are fine."""
        body = _loaded(text)
        if not isinstance(body, dict) or body.get("type") != "notification":
            raise InvalidNotice(NoticeFault.NO_NOTIFICATION)
        event, found = body.get("event"), body.get("object")
        if not isinstance(event, str) or len(event) > MOST_EVENT or not _EVENT.fullmatch(event):
            raise InvalidNotice(NoticeFault.NO_EVENT)
        if not isinstance(found, dict) or not (object_id := _id(found.get("id"))):
            raise InvalidNotice(NoticeFault.NO_OBJECT)
        match event.partition(".")[0]:
            case "payment":
                external_payment_id = object_id
            case "refund":
                external_payment_id = _id(found.get("payment_id"))
            case _:
                external_payment_id = ""
        return cls(event, object_id, external_payment_id, _our_id(found.get("metadata")))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidNotice(NoticeFault.NOT_JSON) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _id(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _our_id(metadata: object) -> uuid.UUID | None:
    value = metadata.get("payment_id") if isinstance(metadata, dict) else None
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
