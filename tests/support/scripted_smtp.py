"""An SMTP server that answers what the test says: for the refusals that a well-behaved server never gives."""

import socketserver
import threading
from types import TracebackType
from typing import Self

from pytest_django import Settings

_USUAL = {
    "CONNECT": "220 scripted",
    "EHLO": "250 scripted",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 Go on",
    "BODY": "250 Kept",
    "RSET": "250 OK",
    "QUIT": "221 Bye",
}


class ScriptedServer:
    """Answers each command with the usual reply, or with that of the script; an empty reply is silence.

    After `mails_per_connection` mails it says `farewell` (if any) to the next one and closes. One that `forgets` drops
    what has come behind a command.
    """

    def __init__(
        self, script: dict[str, str], *, mails_per_connection: int = 1000, farewell: str = "", forgets: bool = False
    ) -> None:
        self.connections = self.accepted = self.farewells = 0
        self.greetings: list[str] = []
        self._replies = _USUAL | script
        self._most, self._farewell, self._forgets = mails_per_connection, farewell, forgets
        self._ended = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                outer._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def use(self, settings: Settings) -> None:
        """Make it the server that mails go to."""
        settings.EMAIL_BACKEND = "notifications.sending.smtp.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = self._server.server_address[:2]
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join(timeout=20)
        # The client's last words are still read; what it never says must not keep the test.
        self._server.block_on_close = False
        self._server.server_close()

    def _talk(self, client: socketserver.StreamRequestHandler) -> None:
        mails = 0
        if not self._say(client, "CONNECT"):
            return
        while line := self._heard(client):
            command = line[:4].decode("ascii", "replace").upper().strip()
            if command in ("EHLO", "HELO"):
                self.greetings.append(line.decode("ascii").strip())
            if command == "MAIL" and mails == self._most:
                if self._farewell:
                    client.wfile.write(f"{self._farewell}\r\n".encode())
                return
            if not self._say(client, command):
                return
            if command == "DATA" and self._replies["DATA"].startswith("354"):
                if b".\r\n" not in iter(client.rfile.readline, b""):
                    # The client left instead of sending a body.
                    return
                self._say(client, "BODY")
                mails += 1
            if command == "QUIT":
                self.farewells += 1
                return

    def _heard(self, client: socketserver.StreamRequestHandler) -> bytes:
        line = client.rfile.readline()
        if self._forgets:
            client.rfile = client.connection.makefile("rb")
        return line

    def _say(self, client: socketserver.StreamRequestHandler, command: str) -> bool:
        """Answer; says whether the conversation goes on."""
        reply = self._replies.get(command, "502 Unknown command")
        if not reply:
            self._ended.wait(timeout=20)
            return False
        if command == "BODY" and reply.startswith("2"):
            self.accepted += 1
        client.wfile.write(f"{reply}\r\n".encode())
        return not (command == "CONNECT" and reply.startswith("5")) and not reply.startswith("421")
