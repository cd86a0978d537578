"""Sends the refunds that were asked for to YooKassa, outside any transaction. What it says of them is noted later."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from payments.models import Checkout, Refund
from payments.provider import MOST_PAGES
from payments.states import RefundStatus
from payments.yookassa.client import YooKassaClient, every_page
from payments.yookassa.errors import NotSent, Rejected, Unavailable
from payments.yookassa.objects import Page, ProviderRefund

# The provider remembers idempotence keys for 24 hours. Past that the same key would make a second refund.
KEY_LIFETIME = timedelta(hours=23)
# A provider that is silent costs the length of its timeout each time.
_MOST_UNANSWERED = 2


@dataclass
class Sent:
    """What became of the refunds that waited: `answered` were made, called off or refused."""

    answered: int = 0
    refused: dict[uuid.UUID, Rejected] = field(default_factory=dict)
    unanswered: list[Unavailable] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.answered or self.unanswered)


def send_refunds(client: YooKassaClient, checkout: Checkout) -> Sent:
    """Send what staff asked for. A lost answer is repeated with the same key, which gives the same refund.

    One that gets no answer must not keep those behind it from theirs. Raises `Unavailable` when there is none at all.
    """
    sent = Sent()
    requested = Refund.objects.filter(payment_id=checkout.pk, status=RefundStatus.REQUESTED).order_by("created_at")
    for refund in requested:
        try:
            refused = _send(client, checkout, refund)
        except Unavailable as error:
            sent.unanswered.append(error)
            if len(sent.unanswered) >= _MOST_UNANSWERED:
                break
            continue
        sent.answered += 1
        if refused is not None:
            sent.refused[refund.pk] = refused
    if sent.unanswered and not sent.answered:
        raise sent.unanswered[0]
    return sent


def _send(client: YooKassaClient, checkout: Checkout, refund: Refund) -> Rejected | None:
    """Why it was refused, if it was."""
    if timezone.now() - refund.created_at > KEY_LIFETIME:
        # It may have been made by an attempt whose answer was lost. The list of refunds tells.
        if _was_made(client, checkout, refund):
            return None
        return NotSent("it could not be sent for a day")
    try:
        client.create_refund(refund.request_body or {}, key=str(refund.pk))
    except Rejected as error:
        if error.http_status in (401, 403):
            # Our own set-up, not this refund: it is sent again when that is mended.
            raise
        return error
    return None


def _was_made(client: YooKassaClient, checkout: Checkout, refund: Refund) -> bool:
    def ask(cursor: str | None) -> Page[ProviderRefund]:
        return client.list_refunds(payment_id=checkout.external_id, cursor=cursor)

    for page in every_page(ask, most=MOST_PAGES, all_of="refunds"):
        if any(str(refund.pk) in seen.description for seen in page.items):
            return True
        if page.unreadable:
            # It may be this one, and then the money would go back twice.
            raise Unavailable(f"it lists a refund as {page.unreadable[0]}", False)
    return False
