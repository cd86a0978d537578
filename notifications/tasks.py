"""The mail task of the bridge, and what beat asks of this package."""

import logging
from collections.abc import Callable

from celery import shared_task
from django.conf import settings

from bridge.breaker import asking
from bridge.message import Message
from bridge.worker.task import queue_task
from notifications.mail_log import first_attempt, mark_sent, outgoing_email, start_sending
from notifications.queue import QUEUE
from notifications.sending.mailer import mailer
from notifications.sending.outages import judge_outage
from notifications.staff_notices import forget_notices, with_notice
from notifications.tracking.store import match_words
from notifications.upkeep import forget_bodies, forget_refused, settle_stuck_emails
from notifications.writing.facts import facts_about
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from notifications.writing.sameness import with_sameness

logger = logging.getLogger(__name__)


@queue_task("notifications.send_email", queue=QUEUE)
def send_email(message: Message) -> Callable[[], None]:
    """Send the mail that a message of the mail queue asks for."""
    request = with_notice(with_sameness(EmailRequest.parse(message.body)))
    # The same at each attempt: a provider that knows the mail by its idempotency key wants the same text again.
    facts = facts_about(request)
    rendered = render_email(request, facts, at=first_attempt(message))
    row = start_sending(message, request, rendered, facts)
    with asking(settings.EMAIL_PROVIDER, message, judge_outage, is_calm=row.provider_is_calm):
        receipt = mailer.send(outgoing_email(row, rendered))
    return mark_sent(row, receipt)


@shared_task(name="notifications.check_stuck_emails")
def check_stuck_emails() -> None:
    """Settle the rows of mails that nobody works on any more, and warn about mails that wait too long."""
    settle_stuck_emails()
    match_words()


@shared_task(name="notifications.forget_old_bodies")
def forget_old_bodies() -> None:
    """Blank the stored text of mails older than `EMAIL_BODY_DAYS`: it names children. Forget refused ones wholly."""
    forget_refused()
    forget_notices()
    forgotten = forget_bodies()
    if forgotten:
        logger.info("the text of %s old emails was deleted", forgotten)
