"""`manage.py sendtestemail`: Django's own, which says neither that a mail was taken nor why one was not."""

from typing import Any

from anymail.exceptions import AnymailError
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.management.commands import sendtestemail
from django.core.validators import validate_email

from bridge.trouble.explanation import EXIT_CODE
from notifications.sending.refusals import explain_refusal
from notifications.sending.troubles import explain


class Command(sendtestemail.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        for address in options["email"]:
            _check(address)
        way = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if settings.EMAIL_PROVIDER == "smtp" else ""
        through = " at ".join(filter(None, (settings.EMAIL_PROVIDER, way)))
        try:
            super().handle(*args, **options)
        # All of smtplib's and requests' errors are an OSError as well.
        except (AnymailError, OSError) as error:
            why = str(explain(error) or "") or " ".join(str(explain_refusal(error)).split()) or type(error).__name__
            raise CommandError(f"{through} did not take the mail: {why}", returncode=EXIT_CODE) from error
        people = ", ".join(options["email"]) or "those whom the settings name"
        self.stdout.write(
            f"{through} took the mail for {people}, from {settings.DEFAULT_FROM_EMAIL}. "
            "If it does not arrive: the spam folder, then SPF and DKIM of the sender's domain."
        )


def _check(address: str) -> None:
    """Else Python's mail package ends it in a traceback, or a server takes it for a name of its own."""
    try:
        validate_email(address)
    except ValidationError as error:
        raise CommandError(f"{address!r} is no mail address: write one like me@example.org") from error
