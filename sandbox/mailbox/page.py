"""The mails on a small page: a list, newest first, and each mail as HTML, as text and as it came.

Russian, in Moscow time, like the shop that links to it.
"""

from datetime import datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from sandbox.mailbox.store import Mail, MailStore, Verdict

_MOSCOW = ZoneInfo("Europe/Moscow")
_VERDICTS = {
    Verdict.ACCEPTED: "принято",
    Verdict.REFUSED: "отказ, можно повторить",
    Verdict.REJECTED: "отказ навсегда",
    Verdict.DROPPED: "связь оборвана нами",
    Verdict.ABANDONED: "отправитель не дождался",
}
_NO_SUBJECT = "(без темы)"

# What a mail brings along may not run, load anything from elsewhere, or look at the page around it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'"

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; color: #888 }
iframe { width: 100%; height: 40rem; border: 1px solid #8884; background: #fff; border-radius: .4rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8884; border-radius: .4rem; padding: 1rem }
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
        mail = self.mails.find(parts[0])
        if mail is None or len(parts) > 2:
            self._answer(_NOT_FOUND, HTTPStatus.NOT_FOUND)
            return
        match parts[1:]:
            case []:
                self._answer(_mail_page(mail, self.mails))
            case ["html"]:
                self._answer(mail.html)
            case ["source"]:
                self._answer((self.mails.folder / mail.file).read_text("utf-8", "replace"), kind="text/plain")
            case _:
                self._answer(_NOT_FOUND, HTTPStatus.NOT_FOUND)

    def log_message(self, *args: object) -> None:
        """Stay silent: the page asks for itself, and nobody reads its log."""

    def _answer(self, text: str, status: HTTPStatus = HTTPStatus.OK, kind: str = "text/html") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='ru'><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<meta name='viewport' content='width=device-width'><h1>{escape(title)}</h1>{body}</html>"
    )


_NOT_FOUND = _page("Не найдено", "<p>Такого письма нет. <a href='/'>Все письма</a></p>")


def _list_page(store: MailStore) -> str:
    rows = "".join(
        f"<tr><td>{_time(mail.received_at)}</td><td>{escape(mail.recipient)}</td>"
        f"<td><a href='/{mail.file}'>{escape(mail.subject) or _NO_SUBJECT}</a></td></tr>"
        for mail in store.messages()
    )
    heads = "<tr><th>Получено</th><th>Кому</th><th>Тема</th></tr>"
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
    html = f"<h2>HTML</h2><iframe sandbox src='/{mail.file}/html' title='HTML'></iframe>" if mail.html else ""
    return _page(
        mail.subject or _NO_SUBJECT,
        f"<p><a href='/'>Все письма</a> · <a href='/{mail.file}/source'>Исходник</a></p><table>{headers}</table>{html}"
        f"<h2>Текст</h2><pre>{escape(mail.text)}</pre><h2>Попытки</h2><table>{tries}</table>",
    )


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(_MOSCOW):%d.%m.%Y %H:%M:%S} МСК"
