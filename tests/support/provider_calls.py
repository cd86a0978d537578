"""What mail providers post about a mail, spelled and signed as each of them does by its own documentation.

Resend: resend.com/docs/webhooks, signed as docs.svix.com/receiving/verifying-payloads/how-manual says. SendGrid:
twilio.com/docs/sendgrid/for-developers/tracking-events. Unisender Go: godocs.unisender.ru/web-api-ref#callback-format.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

AT = datetime(2026, 11, 26, 9, 30, 15, tzinfo=UTC)
RECIPIENT = "anna.petrova@example.org"
SVIX_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
API_KEY = "6n1xf4ez7gtc8ag4x3jkmoqu8xkdbz5syq7k4e3a"
_SENDGRID = ec.generate_private_key(ec.SECP256R1())
SENDGRID_SECRET = base64.b64encode(
    _SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


def resend(event: str, id_: str, at: datetime = AT, **found: Any) -> bytes:
    data = {
        "broadcast_id": "8b146471-e88e-4322-86af-016cd36fd216",
        "created_at": "2026-11-26T09:30:11.894719+00:00",
        "email_id": id_,
        "from": "Balansity <noreply@littleotter.example>",
        "to": [RECIPIENT],
        "subject": "Отчёт готов",
        "tags": {"category": "confirm_email"},
        **found,
    }
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": f"email.{event}", "created_at": stamp, "data": data}).encode()


def sendgrid(event: str, id_: str, at: datetime = AT, **found: Any) -> bytes:
    return b"[" + sendgrid_event(event, id_, at, **found) + b"]"


def sendgrid_event(event: str, id_: str, at: datetime = AT, **found: Any) -> bytes:
    usual = {
        "email": RECIPIENT,
        "timestamp": int(at.timestamp()),
        "smtp-id": "<email_queue.7.4b1f@littleotter.example>",
        "event": event,
        "category": ["cat facts"],
        "sg_event_id": "ZyjAM5rnQmuI1KFInHQ3Nw",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "anymail_id": id_,
    }
    return json.dumps({**usual, **found}).encode()


def unisender_go(status: str, id_: str, at: datetime = AT, **found: Any) -> bytes:
    event = {
        "event_name": "transactional_email_status",
        "event_data": {
            "job_id": "1a3Q2V-0000OZ-S0",
            "metadata": {"anymail_id": id_},
            "email": RECIPIENT,
            "status": status,
            "event_time": f"{at:%Y-%m-%d %H:%M:%S}",
            "url": "",
            **({"delivery_info": found} if found else {}),
        },
    }
    block = {
        "event_name": "transactional_spam_block",
        "event_data": {
            "block_time": "2026-11-26 09:00:00",
            "block_type": "one_smtp",
            "domain": "example.org",
            "SMTP_blocks_count": 8,
            "domain_status": "blocked",
        },
    }
    user = {"user_id": 456, "project_id": "6432890213745872", "project_name": "MyProject", "events": [event, block]}
    # The key stands where the sum will: that is what is summed up.
    return json.dumps({"auth": API_KEY, "events_by_user": [user]}, ensure_ascii=False).encode()


def _signed_by_svix(body: bytes, at: float, secret: str) -> tuple[bytes, dict[str, str]]:
    id_, stamp = "msg_2W2D3qXLS5fOaPja1GDg7rF2CwB", str(int(at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    sum_ = base64.b64encode(hmac.digest(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)).decode()
    return body, {"svix-id": id_, "svix-timestamp": stamp, "svix-signature": f"v1,{sum_}"}


def _signed_by_sendgrid(body: bytes, at: float, key: ec.EllipticCurvePrivateKey) -> tuple[bytes, dict[str, str]]:
    stamp = str(int(at))
    sum_ = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    prefix = "X-Twilio-Email-Event-Webhook-"
    return body, {f"{prefix}Signature": sum_, f"{prefix}Timestamp": stamp}


def _signed_by_unisender_go(body: bytes, at: float, key: str) -> tuple[bytes, dict[str, str]]:
    body = body.replace(API_KEY.encode(), key.encode())
    return body.replace(key.encode(), hashlib.md5(body).hexdigest().encode()), {}  # noqa: S324 # As they do.


@dataclass(frozen=True)
class Sender:
    """A provider: the secret that the settings know, how it signs, its body, and what it calls each thing."""

    secret: str
    key: Any
    sign: Callable[[bytes, float, Any], tuple[bytes, dict[str, str]]]
    body: Callable[..., bytes]
    names: Mapping[str, str]
    stranger: Any


SENDERS = {
    "resend": Sender(
        SVIX_SECRET,
        SVIX_SECRET,
        _signed_by_svix,
        resend,
        {
            "sent": "sent",
            "deferred": "delivery_delayed",
            "delivered": "delivered",
            "bounced": "bounced",
            "complained": "complained",
            "opened": "opened",
        },
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    ),
    "sendgrid": Sender(
        SENDGRID_SECRET,
        _SENDGRID,
        _signed_by_sendgrid,
        sendgrid,
        {
            "sent": "processed",
            "deferred": "deferred",
            "delivered": "delivered",
            "bounced": "bounce",
            "complained": "spamreport",
            "opened": "open",
        },
        ec.generate_private_key(ec.SECP256R1()),
    ),
    "unisender_go": Sender(
        "",
        API_KEY,
        _signed_by_unisender_go,
        unisender_go,
        {
            "sent": "sent",
            "deferred": "soft_bounced",
            "delivered": "delivered",
            "bounced": "hard_bounced",
            "complained": "spam",
            "opened": "opened",
        },
        "another-key-another-key-another-key-0000",
    ),
}


def set_up(name: str, settings: Settings) -> None:
    settings.EMAIL_PROVIDER = name
    settings.EMAIL_WEBHOOK_SECRET = SENDERS[name].secret
    settings.ANYMAIL = {"UNISENDER_GO_API_KEY": API_KEY}


def call(
    name: str, body: bytes, *, at: float | None = None, key: Any = None, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Post as the provider does, signed with its own key unless another is given."""
    sender = SENDERS[name]
    signed, signature = sender.sign(body, time.time() if at is None else at, key or sender.key)
    client = Client(headers={**signature, **(headers or {})})
    return client.post(url_of(name), signed, content_type="application/json")  # type: ignore[return-value]


def tell(name: str, thing: str, id_: str, at: datetime = AT, **found: Any) -> HttpResponse:
    """Tell that this became of the mail."""
    sender = SENDERS[name]
    return call(name, sender.body(sender.names[thing], id_, at, **found))


def signed_call(name: str, thing: str, id_: str, at: datetime) -> Callable[[], HttpRequest]:
    """The same, as the view gets it: signed once, to be made as often as the provider repeats it."""
    sender = SENDERS[name]
    signed, signature = sender.sign(sender.body(sender.names[thing], id_, at), time.time(), sender.key)
    factory = RequestFactory(headers=signature)
    return lambda: factory.post(url_of(name), signed, content_type="application/json")


def url_of(name: str) -> str:
    return f"/api/webhook/mail/{name}"
