"""`manage.py sendtestemail` says in one line how it went."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from sandbox.mailbox import Mailbox
from sandbox.services.process import free_port


def test_it_says_who_took_the_mail_and_what_to_look_at_next(mailbox: Mailbox, settings: Settings) -> None:
    said = StringIO()
    call_command("sendtestemail", "me@example.org", stdout=said)
    assert said.getvalue() == (
        f"smtp at {mailbox.host}:{mailbox.port} took the mail for me@example.org, from {settings.DEFAULT_FROM_EMAIL}. "
        "If it does not arrive: the spam folder, then SPF and DKIM of the sender's domain.\n"
    )
    assert [mail.recipient for mail in mailbox.messages] == ["me@example.org"]


def test_a_server_that_is_not_there_is_one_line_that_names_it(mailbox: Mailbox, settings: Settings) -> None:
    settings.EMAIL_PORT = free_port()
    with pytest.raises(CommandError, match=r"^smtp at 127\.0\.0\.1:\d+ did not take the mail: .*[Rr]efused") as caught:
        call_command("sendtestemail", "me@example.org", stdout=StringIO())
    assert "\n" not in str(caught.value)


def test_a_mail_that_is_refused_says_why(mailbox: Mailbox) -> None:
    with pytest.raises(CommandError, match="did not take the mail: the mail server refused the recipient: 550"):
        call_command("sendtestemail", "me+reject550@example.org", stdout=StringIO())


@pytest.mark.parametrize(
    "typed", ["me@example.org\nBcc: you@example.org", "me", "me@", "Me <me@example.org>", "a@b.ru,c@d.ru"]
)
def test_what_is_no_address_is_one_line(mailbox: Mailbox, typed: str) -> None:
    with pytest.raises(CommandError, match=r"is no mail address: write one like me@example\.org$") as caught:
        call_command("sendtestemail", typed, stdout=StringIO())
    assert "\n" not in str(caught.value)
    assert mailbox.messages == []
