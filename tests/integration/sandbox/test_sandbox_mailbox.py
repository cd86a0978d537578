import re
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from sandbox.mailbox import Mailbox, Security, Verdict
from sandbox.mailbox.page import serve_page
from tests.acceptance.waiting import wait_until


def mail_to(recipient: str, message_id: str = "<1@example.org>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "otter@example.org", recipient, message_id
    mail["Subject"] = "Ёлка, «кавычки» и №"
    mail.set_content("Здравствуйте!")
    mail.add_alternative("<p>Здравствуйте, <b>Анна</b>!</p><script>alert(1)</script>", subtype="html")
    return mail


def send(mailbox: Mailbox, mail: EmailMessage, *, timeout: float = 10) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, local_hostname="test", timeout=timeout) as client:
        client.send_message(mail)


def verdicts(mailbox: Mailbox) -> list[Verdict]:
    return [attempt.verdict for attempt in mailbox.attempts]


def test_a_mail_is_kept_as_a_file_and_can_be_read(mailbox: Mailbox) -> None:
    send(mailbox, mail_to("anna@example.org"))
    (kept,) = mailbox.messages
    assert (kept.recipient, kept.subject) == ("anna@example.org", "Ёлка, «кавычки» и №")
    assert kept.text == "Здравствуйте!\n"
    assert "<b>Анна</b>" in kept.html
    (attempt,) = mailbox.attempts
    assert (attempt.verdict, attempt.message_id, attempt.file) == (Verdict.ACCEPTED, "<1@example.org>", kept.file)


def test_mails_come_newest_first(mailbox: Mailbox) -> None:
    for number in range(3):
        send(mailbox, mail_to("anna@example.org", f"<{number}@example.org>"))
    assert [mail.message_id for mail in mailbox.messages] == ["<2@example.org>", "<1@example.org>", "<0@example.org>"]


def test_the_third_try_is_accepted_after_two_refusals(mailbox: Mailbox) -> None:
    mail = mail_to("anna+refuse2@example.org")
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(mailbox, mail)
        assert refused.value.smtp_code == 451
    send(mailbox, mail)
    assert verdicts(mailbox) == [Verdict.REFUSED, Verdict.REFUSED, Verdict.ACCEPTED]
    assert len(mailbox.messages) == 1


def test_each_mail_is_refused_for_itself(mailbox: Mailbox) -> None:
    for message_id in ("<1@example.org>", "<2@example.org>"):
        with pytest.raises(smtplib.SMTPDataError):
            send(mailbox, mail_to("anna+refuse1@example.org", message_id))


def test_the_count_of_tries_survives_a_restart(tmp_path: Path) -> None:
    mail = mail_to("anna+refuse1@example.org")
    with Mailbox(tmp_path / "mail") as first, pytest.raises(smtplib.SMTPDataError):
        send(first, mail)
    with Mailbox(tmp_path / "mail") as second:
        send(second, mail)


def test_an_address_is_rejected_for_good_when_it_is_named(mailbox: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(mailbox, mail_to("anna+reject550@example.org"))
    assert refused.value.recipients["anna+reject550@example.org"][0] == 550
    assert verdicts(mailbox) == [Verdict.REJECTED]


def test_the_first_connection_breaks_and_the_second_holds(mailbox: Mailbox) -> None:
    mail = mail_to("anna+drop1@example.org")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mailbox, mail)
    send(mailbox, mail)
    assert verdicts(mailbox) == [Verdict.DROPPED, Verdict.ACCEPTED]


def test_a_sender_who_does_not_wait_leaves_no_mail(mailbox: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mailbox, mail_to("anna+slow30@example.org"), timeout=2)
    wait_until(lambda: verdicts(mailbox) == [Verdict.ABANDONED], "the sender is missed")
    assert mailbox.messages == []


def test_a_stopped_mailbox_breaks_connections_off(mailbox: Mailbox) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.port, local_hostname="test", timeout=10) as client:
        mailbox.stop()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


@pytest.fixture
def client_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


@pytest.fixture
def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_starttls_is_required_where_it_is_offered(
    tmp_path: Path, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    with Mailbox(tmp_path, security=Security.STARTTLS, certificate=server_context) as mailbox:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(mailbox, mail_to("anna@example.org"))
        assert refused.value.smtp_code == 530
        with smtplib.SMTP(mailbox.host, mailbox.port, local_hostname="test", timeout=10) as client:
            client.starttls(context=client_context)
            client.send_message(mail_to("anna@example.org"))
        assert len(mailbox.messages) == 1


def test_implicit_tls_with_a_login(
    tmp_path: Path, server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    login = ("otter", "river")
    with Mailbox(tmp_path, security=Security.TLS, certificate=server_context, login=login) as mailbox:
        with smtplib.SMTP_SSL(
            mailbox.host, mailbox.port, local_hostname="test", timeout=10, context=client_context
        ) as client:
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                client.send_message(mail_to("anna@example.org"))
            assert refused.value.smtp_code == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("otter", "sea")
            client.login(*login)
            client.send_message(mail_to("anna@example.org"))
        assert len(mailbox.messages) == 1


@pytest.fixture
def page(mailbox: Mailbox) -> Iterator[str]:
    server = serve_page(mailbox.store, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return str(answer.read().decode())


def test_the_page_lists_mails_and_shows_one(mailbox: Mailbox, page: str) -> None:
    empty = fetch(page)
    assert "<html lang='ru'>" in empty
    assert "Писем пока нет" in empty
    assert f"Файлы лежат в {mailbox.store.folder}" in empty
    send(mailbox, mail_to('"<b>x</b>"@example.org'))
    file = mailbox.messages[0].file
    listed = fetch(page)
    assert "Ёлка, «кавычки» и №" in listed
    assert "<b>x</b>" not in listed
    shown = fetch(f"{page}/{file}")
    assert f"<iframe sandbox src='/{file}/html'" in shown
    assert "Здравствуйте!" in shown
    assert "принято" in shown
    assert "<b>Анна</b>" in fetch(f"{page}/{file}/html")
    assert "Message-ID: <1@example.org>" in fetch(f"{page}/{file}/source")


def test_the_page_gives_the_files_of_a_mail_and_no_name_breaks_out_of_a_header(mailbox: Mailbox, page: str) -> None:
    mail = mail_to("anna@example.org")
    mail.add_attachment("BEGIN:VCALENDAR\r\n", subtype="calendar", filename='встреча"; x=\r\n.ics')
    send(mailbox, mail)
    file = mailbox.messages[0].file
    shown = fetch(f"{page}/{file}")
    assert "<h2>Вложения</h2>" in shown
    assert f"href='/{file}/files/0'" in shown
    with urllib.request.urlopen(f"{page}/{file}/files/0", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/calendar"
        assert re.fullmatch(r"attachment; filename=[\w.-]+\.ics", answer.headers["Content-Disposition"], re.ASCII)
        assert answer.read().startswith(b"BEGIN:VCALENDAR")
    with pytest.raises(urllib.error.HTTPError) as missing:
        fetch(f"{page}/{file}/files/1")
    assert missing.value.code == 404
    missing.value.close()


def test_the_page_tells_the_time_of_moscow(mailbox: Mailbox, page: str) -> None:
    name = "20261124T210203123456-000001.eml"
    (mailbox.store.folder / name).write_bytes(mail_to("anna@example.org").as_bytes())
    assert "<td>25.11.2026 00:02:03 МСК</td>" in fetch(page)


@pytest.mark.parametrize(
    "path", ["/attempts.jsonl", "/..%2f..%2fetc%2fpasswd", "/20261124T000203123456-000001.eml", "/a/b/c"]
)
def test_the_page_shows_nothing_else(page: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as missing:
        fetch(page + path)
    assert missing.value.code == 404
    missing.value.close()
