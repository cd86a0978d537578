"""The mails on a small page: a list, newest first, and each mail as HTML, as text and as it came.

Russian, in Moscow time, like the shop that links to it.
"""

from datetime import datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from sandbox.mailbox.store import Mail, MailFile, MailStore, Verdict

_MOSCOW = ZoneInfo("Europe/Moscow")
_VERDICTS = {
    Verdict.ACCEPTED: "принято",
    Verdict.REFUSED: "отказ, можно повторить",
    Verdict.REJECTED: "отказ навсегда",
    Verdict.DROPPED: "связь оборвана нами",
    Verdict.ABANDONED: "отправитель не дождался",
}
_NO_SUBJECT = "(без темы)"

_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'"
# What a mail brings along may not run, load anything from elsewhere, or look at the page around it.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_STYLE = """
:root {
  color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif;
  --page: #fff; --text: #1c1d21; --quiet: #62666f; --link: #3450c0; --line: #d6d8dd;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #17181c; --text: #e9eaee; --quiet: #a9adb7; --link: #9db1ff; --line: #3b3e46 }
}
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: anywhere }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem }
a { color: var(--link) }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; color: var(--quiet) }
iframe { width: 100%; height: 48rem; border: 1px solid var(--line); border-radius: .4rem; color-scheme: light dark }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: .4rem; padding: 1rem }
@media (max-width: 40rem) {
  iframe { height: 62rem }
  tr.heads { display: none }
  tbody, tr, td, th { display: block }
  td, th { padding: 0; border: 0 }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line) }
}
"""


def serve_page(store: MailStore, port: int) -> ThreadingHTTPServer:
    """Return a server for the page, bound to `port` of 127.0.0.1; the caller runs `serve_forever`."""

    class Handler(_PageHandler):
        mails = store

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _PageHandler(BaseHTTPRequestHandler):
    mails: MailStore
    timeout = 30

    def do_GET(self) -> None:
        parts = [unquote(part) for part in self.path.partition("?")[0].split("/") if part]
        if not parts:
            self._answer(_list_page(self.mails))
            return
        if parts == ["page.css"]:
            self._answer(_STYLE, kind="text/css")
            return
        mail = self.mails.find(parts[0])
        if mail is None:
            self._answer(_NOT_FOUND, HTTPStatus.NOT_FOUND)
            return
        match parts[1:]:
            case []:
                self._answer(_mail_page(mail, self.mails))
            case ["html"]:
                self._answer(mail.html, policy=_MAIL_POLICY)
            case ["files", number] if number.isdecimal() and int(number) < len(mail.files):
                self._answer_file(mail.files[int(number)])
            case ["source"]:
                self._answer((self.mails.folder / mail.file).read_text("utf-8", "replace"), kind="text/plain")
            case _:
                self._answer(_NOT_FOUND, HTTPStatus.NOT_FOUND)

    def _answer_file(self, file: MailFile) -> None:
        headers = {"Content-Disposition": f"attachment; filename={file.name}", "Content-Security-Policy": _POLICY}
        self._send(file.content, HTTPStatus.OK, file.kind, headers)

    def log_message(self, *args: object) -> None:
        """Stay silent: the page asks for itself, and nobody reads its log."""

    def _answer(
        self, text: str, status: HTTPStatus = HTTPStatus.OK, kind: str = "text/html", policy: str = _POLICY
    ) -> None:
        self._send(text.encode(), status, f"{kind}; charset=utf-8", {"Content-Security-Policy": policy})

    def _send(self, body: bytes, status: HTTPStatus, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='ru'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'><link rel='stylesheet' href='/page.css'>"
        f"</head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


_NOT_FOUND = _page("Не найдено", "<p>Такого письма нет. <a href='/'>Все письма</a></p>")


def _list_page(store: MailStore) -> str:
    rows = "".join(
        f"<tr><td>{_time(mail.received_at)}</td><td>{escape(mail.recipient)}</td>"
        f"<td><a href='/{mail.file}'>{escape(mail.subject) or _NO_SUBJECT}</a></td></tr>"
        for mail in store.messages()
    )
    heads = "<tr class='heads'><th>Получено</th><th>Кому</th><th>Тема</th></tr>"
    table = f"<table>{heads}{rows}</table>" if rows else "<p>Писем пока нет.</p>"
    return _page("Письма песочницы", f"{table}<p>Файлы лежат в {escape(str(store.folder))}</p>")


def _mail_page(mail: Mail, store: MailStore) -> str:
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in mail.message.items()
    )
    tries = "".join(
        f"<tr><td>{_time(attempt.at)}</td><td>{_VERDICTS[attempt.verdict]}</td><td>{escape(attempt.reply)}</td></tr>"
        for attempt in store.attempts()
        if attempt.message_id and attempt.message_id == mail.message_id
    )
    files = "".join(
        f"<li><a href='/{mail.file}/files/{number}'>{escape(file.name)}</a></li>"
        for number, file in enumerate(mail.files)
    )
    files = f"<h2>Вложения</h2><ul>{files}</ul>" if files else ""
    html = f"<h2>HTML</h2><iframe sandbox src='/{mail.file}/html' title='HTML'></iframe>" if mail.html else ""
    return _page(
        mail.subject or _NO_SUBJECT,
        f"<p><a href='/'>Все письма</a> · <a href='/{mail.file}/source'>Исходник</a></p><table>{headers}</table>"
        f"{files}{html}"
        f"<h2>Текст</h2><pre>{escape(mail.text)}</pre><h2>Попытки</h2><table>{tries}</table>",
    )


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(_MOSCOW):%d.%m.%Y %H:%M:%S} МСК"
