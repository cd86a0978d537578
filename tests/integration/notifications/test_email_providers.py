"""Mails through the HTTP interface of a provider, against a server that answers as the providers do."""

import json
import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message as HeaderMessage
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from bridge.errors import Away, PermanentError
from notifications.attachment import Attachment
from notifications.errors import DeliveryDeferred, OurFault
from notifications.outgoing import OutgoingEmail, stable_message_id
from notifications.sending.mailer import Mailer
from notifications.sending.outages import judge_outage
from tests.support.loaded_settings import load_settings
from tests.support.server_answers import API_ANSWERS, ApiAnswer

AT = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)
EMAIL = OutgoingEmail(
    recipient="parent@example.org",
    subject="Отчёт готов",
    html="<p>Здравствуйте!</p>",
    text="Здравствуйте!\n",
    message_id=stable_message_id(queue="email_queue", msg_id=7, enqueued_at=AT),
    date=AT,
)
ACCEPTED: dict[str, Any] = {
    "resend": {"id": "re-1"},
    "sendgrid": "",
    "unisender_go": {"status": "success", "job_id": "job-1", "emails": ["parent@example.org"]},
}


class Provider:
    """Answers every request with `status` and `answer`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Any = {}
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), body))
                reply = outer.answer if isinstance(outer.answer, str) else json.dumps(outer.answer)
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(reply.encode())))
                self.end_headers()
                self.wfile.write(reply.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=20)
        self._server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture
def mailer() -> Iterator[Mailer]:
    mailer = Mailer()
    yield mailer
    mailer.close()


def use(name: str, url: str, settings: Settings) -> None:
    """Choose a provider as the environment does, but with the address of the test's server."""
    found = chosen(name)
    for setting in ("EMAIL_PROVIDER", "EMAIL_BACKEND", "EMAIL_TIMEOUT", "DEFAULT_FROM_EMAIL"):
        setattr(settings, setting, found[setting])
    settings.ANYMAIL = {**found["ANYMAIL"], f"{name.upper()}_API_URL": url}


@cache
def chosen(name: str) -> dict[str, Any]:
    """The settings of an environment with this provider: the same in each test, but for the address of its server."""
    variables = {"EMAIL_PROVIDER": name, "SMTP_FROM": "hello@littleotter.example", f"{name.upper()}_API_KEY": "key-1"}
    server = {"UNISENDER_GO_API_URL": "https://unisender.example/v1/"}
    return load_settings(variables | server | {"EMAIL_TIMEOUT": "5"}, sandbox=True)


# Anymail's maintainers have no SendGrid account any more; its backend is there and works.
@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_provider_gets_the_mail_and_its_id_is_kept(
    name: str, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(name, provider.url, settings)
    provider.answer = ACCEPTED[name]
    receipt = mailer.send(EMAIL)
    ((_, headers, body),) = provider.requests
    assert "key-1" in " ".join(headers.values())
    sent = json.dumps(body, ensure_ascii=False)
    for piece in ("parent@example.org", "Отчёт готов", "Здравствуйте!", EMAIL.message_id, "auto-generated"):
        assert piece in sent
    assert "Date" not in sent
    assert receipt.provider == name
    assert receipt.provider_message_id


# Where each is told how to call the mail in its webhook; Resend chooses that itself.
TOLD_IDS = {
    "sendgrid": ("personalizations", 0, "custom_args", "anymail_id"),
    "unisender_go": ("message", "recipients", 0, "metadata", "anymail_id"),
}


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("name", ACCEPTED)
def test_the_id_by_which_a_provider_will_tell_of_the_mail_is_the_one_that_is_kept(
    name: str, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(name, provider.url, settings)
    provider.answer = ACCEPTED[name]
    kept = mailer.send(EMAIL).provider_message_id
    ((_, _, told),) = provider.requests
    found: Any = told if name in TOLD_IDS else ACCEPTED[name]["id"]
    for key in TOLD_IDS.get(name, ()):
        found = found[key]
    assert kept == found


# Where each keeps a file: the list, its name, its type and its content in base64.
FILES = {
    "resend": (("attachments",), "filename", "content_type", "content"),
    "sendgrid": (("attachments",), "filename", "type", "content"),
    "unisender_go": (("message", "attachments"), "name", "type", "content"),
}


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_provider_gets_the_file_for_the_calendar_as_it_was_made(
    name: str, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(name, provider.url, settings)
    provider.answer = ACCEPTED[name]
    content = "BEGIN:VCALENDAR\r\nSUMMARY:Встреча\r\nEND:VCALENDAR\r\n"
    file = Attachment("vstrecha.ics", "calendar", content, (("method", "PUBLISH"),))
    mailer.send(replace(EMAIL, attachments=(file,)))
    ((_, _, sent),) = provider.requests
    path, name_key, type_key, content_key = FILES[name]
    found: Any = sent
    for key in path:
        found = found[key]
    (seen,) = found
    assert seen[name_key] == "vstrecha.ics"
    header = HeaderMessage()
    header["Content-Type"] = seen[type_key]
    assert header.get_content_type() == "text/calendar"
    assert (header.get_content_charset(), header.get_param("method")) == ("utf-8", "PUBLISH")
    assert b64decode(seen[content_key]).decode() == content


def test_resend_gets_the_same_idempotency_key_at_every_attempt(
    provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use("resend", provider.url, settings)
    provider.status, provider.answer = 500, {"message": "Something broke"}
    with pytest.raises(DeliveryDeferred):
        mailer.send(EMAIL)
    provider.status, provider.answer = 200, {"id": "re-1"}
    mailer.send(EMAIL)
    keys = {headers["Idempotency-Key"] for _, headers, _ in provider.requests}
    assert keys == {EMAIL.message_id.strip("<>")}
    first, second = (body for _, _, body in provider.requests)
    assert first == second, "the same key with another body is an error at Resend"


@pytest.mark.parametrize(
    ("status", "answer", "error", "text"),
    [
        (422, {"message": "Invalid `to` field"}, PermanentError, "Resend answered 422: Invalid `to` field"),
        (422, {"message": "Invalid `from` field. The email address needs to follow ..."}, OurFault, "SMTP_FROM"),
        (402, {"message": "Payment required"}, OurFault, "ours to mend: the provider restricts our account"),
        (400, {"errors": [{"message": "Bad mail"}]}, PermanentError, "Resend answered 400: Bad mail"),
        (413, "<h1>Too large</h1>", PermanentError, "Resend answered 413: <h1>Too large</h1>"),
        (401, {"message": "API key is invalid"}, OurFault, "Resend answered 401: API key is invalid"),
        (403, {"message": "Domain not verified"}, OurFault, "Resend answered 403: Domain not verified"),
        (404, {"error": "Not found"}, DeliveryDeferred, "Resend answered 404: Not found"),
        (409, {"message": "Concurrent request"}, DeliveryDeferred, "Resend answered 409: Concurrent request"),
        (429, {"message": "Too many requests"}, OurFault, "Resend answered 429: Too many requests"),
        (500, "", DeliveryDeferred, "Resend answered 500: "),
        (503, ["x\r\n" * 1000], DeliveryDeferred, "Resend answered 503: ['x"),
        (200, "no json", DeliveryDeferred, "Resend answered 200: no json"),
    ],
)
def test_a_refusal_is_permanent_only_if_it_is_about_this_mail(
    status: int,
    answer: Any,
    error: type[Exception],
    text: str,
    provider: Provider,
    mailer: Mailer,
    settings: Settings,
) -> None:
    use("resend", provider.url, settings)
    provider.status, provider.answer = status, answer
    with pytest.raises(error, match=re.escape(text)) as caught:
        mailer.send(EMAIL)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert "key-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        ("invalid", PermanentError),
        ("unsubscribed", PermanentError),
        ("permanent_unavailable", PermanentError),
        ("temporary_unavailable", DeliveryDeferred),
    ],
)
def test_what_unisender_says_about_the_recipient_is_heard(
    verdict: str, error: type[Exception], provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use("unisender_go", provider.url, settings)
    failed = {"parent@example.org": verdict}
    provider.answer = {"status": "success", "job_id": "1", "emails": [], "failed_emails": failed}
    with pytest.raises(error, match="recipient"):
        mailer.send(EMAIL)


def test_a_provider_that_is_away_is_a_temporary_error(provider: Provider, mailer: Mailer, settings: Settings) -> None:
    use("resend", provider.url, settings)
    provider.stop()
    with pytest.raises(OSError, match="Error posting to") as caught:
        mailer.send(EMAIL)
    assert "key-1" not in str(caught.value)


def test_the_console_prints_the_mail(mailer: Mailer, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.EMAIL_PROVIDER = "console"
    settings.EMAIL_BACKEND = load_settings({"EMAIL_PROVIDER": "console"}, sandbox=True)["EMAIL_BACKEND"]
    receipt = mailer.send(EMAIL)
    assert EMAIL.message_id in capsys.readouterr().out
    assert (receipt.provider, receipt.provider_message_id) == ("console", "")


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("answer", API_ANSWERS, ids=lambda answer: f"{answer.provider} {answer.status} {answer.seen}")
def test_what_a_provider_says_of_us_waits_until_it_is_mended(
    answer: ApiAnswer, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(answer.provider, provider.url, settings)
    provider.status, provider.answer = answer.status, answer.body
    with pytest.raises(OurFault if answer.is_ours else PermanentError):
        mailer.send(EMAIL)


def test_what_a_provider_repeats_of_the_mail_holds_no_link_that_works(
    provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use("resend", provider.url, settings)
    provider.status, provider.answer = 500, {"message": "at https://api.example.org/file?token=1vN:s3-cr_et in html"}
    with pytest.raises(DeliveryDeferred, match=r"token=\*\*\* in html"):
        mailer.send(EMAIL)


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Away.REFUSED),
        (402, Away.REFUSED),
        (403, Away.REFUSED),
        (408, Away.SERVER_ERROR),
        (409, None),
        (413, None),
        (422, None),
        (429, Away.QUOTA),
        (500, Away.SERVER_ERROR),
        (502, Away.SERVER_ERROR),
        (503, Away.SERVER_ERROR),
    ],
)
def test_a_provider_is_away_for_every_mail_or_refuses_one(
    name: str, status: int, kind: Away | None, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(name, provider.url, settings)
    provider.status, provider.answer = status, {"message": "said by nobody in particular"}
    with pytest.raises((DeliveryDeferred, PermanentError)) as caught:
        mailer.send(EMAIL)
    verdict = judge_outage(caught.value)
    assert (verdict.kind if verdict else None) is kind


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_provider_that_is_not_there_is_away(
    name: str, provider: Provider, mailer: Mailer, settings: Settings
) -> None:
    use(name, provider.url, settings)
    provider.stop()
    with pytest.raises(OSError, match="Error posting to") as caught:
        mailer.send(EMAIL)
    verdict = judge_outage(caught.value)
    assert verdict is not None
    assert verdict.kind is Away.AWAY
    assert "key-1" not in verdict.why
