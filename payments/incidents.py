"""Payments that a person must look at, as staff are told of them at once: why, and nobody's name or sum."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from payments.models import PaymentAttention
from payments.states import Attention
from staff.troubles import Detector, Trouble

# The oldest first: with more than these open at once, a mail about the next ones helps nobody.
MOST = 1000
# It goes by itself when the provider answers again, and that it does not is told for all payments together.
PASSING = frozenset({Attention.CHECK_FAILED})
PATIENCE = timedelta(minutes=30)


def find_marks(standing: frozenset[str]) -> Iterator[Trouble]:
    """Each open mark: what settles it, or a person, ends it."""
    lately = Q(reason__in=PASSING, since__gt=timezone.now() - PATIENCE)
    open_marks = PaymentAttention.objects.filter(~lately, settled_at__isnull=True).order_by("pk")
    for pk, reason, since in open_marks.values_list("pk", "reason", "since")[:MOST]:
        yield Trouble(
            kind="money",
            key=str(pk),
            what=_("A payment needs somebody: %(why)s") % {"why": _label(reason)},
            advice=_("Open the list: the page of each payment says what to do."),
            # Here and not above: an address loads all pages, 33 MB, into a worker that may have nothing to tell.
            address=f"{reverse('admin:payments_payment_changelist')}?attention={reason}",
            since=since,
        )


def _label(reason: str) -> str:
    return str(Attention(reason).label) if reason in Attention.values else capfirst(reason)


DETECTORS = [Detector("payments", find_marks)]
