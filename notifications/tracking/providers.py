"""How each provider proves its words, and how they are spelled: anymail's views know the spelling, and we ask them.

Resend signs as Svix does (`EMAIL_WEBHOOK_SECRET` is its `whsec_…`), SendGrid by a key of its own (its public half),
Unisender Go by our key for its interface. The first two can also call us with a name and a password in the address
that they are given, and then `EMAIL_WEBHOOK_SECRET` is `name:password`.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.utils import get_request_basic_auth
from anymail.webhooks.resend import ResendTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from anymail.webhooks.unisender_go import UnisenderGoTrackingWebhookView
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from notifications.tracking.words import Word, word_of

# https://docs.svix.com/receiving/verifying-payloads/how-manual
SVIX_PREFIX = "whsec_"
SVIX_TOLERANCE_SECONDS = 300
# As SendGrid posts at most 768 KB at a time, and each word needs some hundred bytes.
MOST_WORDS = 10_000
# What a body of an odd shape ends in. Whoever has the secret may send one; nobody may stop us with it.
ODD_SHAPES = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)


class NotProven(Exception):
    """The caller is not who may tell us this. The text is for the log and quotes nothing of the request."""


# Each can be read or not, whatever the others are.
Events = Iterator[Callable[[], AnymailTrackingEvent]]


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider proves itself (`prove`, which raises `NotProven`), and what one of its calls says (`read`)."""

    prove: Callable[[HttpRequest], None]
    read: Callable[[HttpRequest], Events]
    # Its key for us is enough.
    needs_secret: bool = True


def provider_that_tells(name: str) -> Provider | None:
    """The provider of this name, when it is the one that mails leave by and has a way to prove itself."""
    provider = PROVIDERS.get(name)
    if provider is None or name != settings.EMAIL_PROVIDER:
        return None
    return provider if settings.EMAIL_WEBHOOK_SECRET or not provider.needs_secret else None


def words_in(provider: Provider, request: HttpRequest) -> tuple[list[Word], int]:
    """What a call says, once it is proven, and how many of its events could not be understood."""
    words: list[Word] = []
    odd = 0
    try:
        events = list(islice(provider.read(request), MOST_WORDS))
    except ODD_SHAPES:
        return [], 1
    for event in events:
        try:
            word = word_of(event())
        except ODD_SHAPES:
            odd += 1
        else:
            words += [word] if word else []
    return words, odd


class _Resend(ResendTrackingWebhookView):  # type: ignore[misc]
    """Anymail wants one more library to prove what a few lines prove, so only its vocabulary is taken."""

    # Younger than anymail's table.
    event_types: Mapping[str, str] = {
        **ResendTrackingWebhookView.event_types,
        "email.failed": EventType.FAILED,
        "email.suppressed": EventType.REJECTED,
    }

    def __init__(self) -> None:
        """Nothing is read from the settings of anymail."""


class _SendGrid(SendGridTrackingWebhookView):  # type: ignore[misc]
    def __init__(self, key: Any = None) -> None:
        self.webhook_verification_key = key


class _UnisenderGo(UnisenderGoTrackingWebhookView):  # type: ignore[misc]
    def __init__(self) -> None:
        """As above."""


def _prove_resend(request: HttpRequest) -> None:
    secret = settings.EMAIL_WEBHOOK_SECRET
    if not secret.startswith(SVIX_PREFIX):
        _prove_by_password(request)
        return
    id_, at = request.headers.get("svix-id", ""), request.headers.get("svix-timestamp", "")
    if not re.fullmatch(r"\d{1,12}", at) or abs(time.time() - int(at)) > SVIX_TOLERANCE_SECONDS:
        raise NotProven("its signature has no time, or one that is not now")
    signed = f"{id_}.{at}.".encode() + request.body
    expected = base64.b64encode(hmac.digest(svix_key(secret), signed, "sha256")).decode()
    given = [one.removeprefix("v1,") for one in request.headers.get("svix-signature", "").split()[:10]]
    if not any(constant_time_compare(one, expected) for one in given):
        raise NotProven("its signature is not made with EMAIL_WEBHOOK_SECRET")


def svix_key(secret: str) -> bytes:
    """The key in a secret of Svix. Raises `ValueError`."""
    return base64.b64decode(secret.removeprefix(SVIX_PREFIX), validate=True)


def _prove_sendgrid(request: HttpRequest) -> None:
    secret = settings.EMAIL_WEBHOOK_SECRET
    if ":" in secret:
        _prove_by_password(request)
        return
    try:
        _SendGrid(load_der_public_key(base64.b64decode(secret))).validate_request(request)
    except (AnymailWebhookValidationFailure, ValueError) as error:
        raise NotProven("its signature is not made with the key of EMAIL_WEBHOOK_SECRET") from error


def _prove_unisender_go(request: HttpRequest) -> None:
    """MD5 of the body, with our key in place of the sum: https://godocs.unisender.ru/web-api-ref#callback-format."""
    body = request.body
    try:
        auth = json.loads(body)["auth"]
    except ODD_SHAPES as error:
        raise NotProven("its body is none of theirs") from error
    # Anything else in its place could be as short as to stand in the body a million times.
    if not isinstance(auth, str) or not re.fullmatch(r"[0-9a-f]{32}", auth):
        raise NotProven("it has no signature")
    key = str(settings.ANYMAIL["UNISENDER_GO_API_KEY"]).encode()
    expected = hashlib.md5(body.replace(auth.encode(), key), usedforsecurity=False).hexdigest()
    if not constant_time_compare(auth, expected):
        raise NotProven("its signature is not made with UNISENDER_GO_API_KEY")


def _prove_by_password(request: HttpRequest) -> None:
    if not constant_time_compare(get_request_basic_auth(request) or "", settings.EMAIL_WEBHOOK_SECRET):
        raise NotProven("it brings another name and password than EMAIL_WEBHOOK_SECRET, or none")


def _read_resend(request: HttpRequest) -> Events:
    yield partial(_resend_event, json.loads(request.body), request)


def _resend_event(found: Any, request: HttpRequest) -> AnymailTrackingEvent:
    data = found["data"]
    # The headers are those of the mail.
    event = _Resend().esp_to_anymail_event({**found, "data": {**data, "headers": []}}, request)
    kinds = ("bounce", "failed", "suppressed")
    told: Mapping[str, Any] = next((data[kind] for kind in kinds if isinstance(data.get(kind), dict)), {})
    said = [told.get(key) for key in ("message", "reason", "type", "subType")]
    event.description = " · ".join(part for part in said if isinstance(part, str))
    return event


def _read_sendgrid(request: HttpRequest) -> Events:
    for one in json.loads(request.body):
        yield partial(_sendgrid_event, one)


def _sendgrid_event(found: Any) -> AnymailTrackingEvent:
    event = _SendGrid().esp_to_anymail_event(found)
    if event.event_type == EventType.REJECTED:
        # Which of its lists the address is on.
        event.description = found.get("reason")
    return event


def _read_unisender_go(request: HttpRequest) -> Events:
    found = json.loads(request.body)
    alone = [{"event_name": found.get("event_name"), "event_data": found}]
    for group in found.get("events_by_user", [{"events": alone}]):
        for one in group["events"]:
            # Another kind tells of the account.
            if one["event_name"] == "transactional_email_status":
                yield partial(_UnisenderGo().esp_to_anymail_event, one["event_data"])


PROVIDERS: Mapping[str, Provider] = {
    "resend": Provider(_prove_resend, _read_resend),
    "sendgrid": Provider(_prove_sendgrid, _read_sendgrid),
    "unisender_go": Provider(_prove_unisender_go, _read_unisender_go, needs_secret=False),
}
