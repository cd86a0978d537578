"""Customers who want to pay while YooKassa accepts connections and says nothing."""

import http.client
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sandbox.bench.rig import await_true, execute
from sandbox.tokens import access_token

PATH = "/api/payments/create"
# Gunicorn's two processes have eight threads: without a limit all of them would wait.
CUSTOMERS = 8
PRICE = "4500.00"
ANSWER_SECONDS = 60.0


class SilentProvider:
    """A server at `api_url` that reads nothing and answers nothing."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._accepted: list[socket.socket] = []
        self.api_url = f"http://127.0.0.1:{self._server.getsockname()[1]}/v3"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self._accepted)

    def let_go(self) -> None:
        """End the waiting of everybody who came so far."""
        for accepted in self._accepted:
            accepted.close()

    def close(self) -> None:
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.let_go()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._accepted.append(self._server.accept()[0])


@contextmanager
def waiting_payers(port: int, provider: SilentProvider) -> Iterator[None]:
    """Customers who start a payment, and come again when they are told to, for the length of the block.

    It begins when each of them waits: in the web process, or for the time to come again.
    """
    order, ended, told = _package(), threading.Event(), list[int]()
    before = provider.asked
    threads = [threading.Thread(target=_pay, args=(port, _customer(), order, ended, told)) for _ in range(CUSTOMERS)]
    for thread in threads:
        thread.start()
    await_true(lambda: provider.asked - before + len(told) >= CUSTOMERS, seconds=30)
    try:
        yield
    finally:
        ended.set()
        provider.let_go()
        for thread in threads:
            thread.join(ANSWER_SECONDS)


def _package() -> dict[str, str]:
    kind, package = str(uuid.uuid4()), str(uuid.uuid4())
    execute(
        "INSERT INTO public.appointment_types (id, name, duration_minutes, price) VALUES (%s, 'Консультация', 50, %s)",
        [kind, PRICE],
    )
    execute(
        "INSERT INTO public.packages (id, name, session_count, appointment_type_id, price)"
        " VALUES (%s, 'Четыре консультации', 4, %s, %s)",
        [package, kind, PRICE],
    )
    return {"type": "package", "package_id": package}


def _customer() -> str:
    user_id = str(uuid.uuid4())
    execute("INSERT INTO auth.users (id) VALUES (%s)", [user_id])
    execute(
        "INSERT INTO public.users (id, email) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET email = excluded.email",
        [user_id, f"{user_id}@example.org"],
    )
    return user_id


def _pay(port: int, user_id: str, order: dict[str, str], ended: threading.Event, told: list[int]) -> None:
    body = json.dumps({"amount": PRICE, "currency": "RUB", "metadata": order})
    headers = {"Authorization": f"Bearer {access_token(user_id)}", "Content-Type": "application/json"}
    while not ended.is_set():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            answer.read()
        if answer.status not in {http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.TOO_MANY_REQUESTS}:
            raise SystemExit(f"a payment beside a silent provider was answered with {answer.status}")
        told.append(answer.status)
        ended.wait(float(answer.headers.get("Retry-After", 1)))
