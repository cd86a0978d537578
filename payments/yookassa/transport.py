"""The official SDK's `ApiClient`, with the parts replaced that may not be left to chance.

As it comes it reads a configuration that the whole process shares, waits for ever, logs the Authorization header, turns
a refused connection into `AttributeError` and a proxy's page into `JSONDecodeError`, and repeats requests by itself. Of
the SDK remain the form of the request: authorization, headers, and how it names itself.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from yookassa.client import ApiClient
from yookassa.domain.common import UserAgent

from payments.yookassa.answers import Answer, read_answer
from payments.yookassa.errors import Trouble, Unavailable, YooKassaError

logger = logging.getLogger(__name__)

# A page of 100 payments with long metadata takes half of it.
MOST_BYTES = 4 * 1024 * 1024
_CHUNK = 64 * 1024
_CONNECTIONS = 16
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class Transport(ApiClient):  # type: ignore[misc]
    """Sends requests of one shop. Any number of threads may share one, and a forked child may go on with it."""

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        api_url: str,
        connect_timeout: float,
        read_timeout: float,
        room: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        # The SDK's own initialiser is left out: it would take all of this from its process-wide configuration.
        self.endpoint = api_url.rstrip("/")
        self.shop_id, self.shop_password, self.auth_token = shop_id, secret_key, None
        self.user_agent = UserAgent()
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._room = room
        self._session: tuple[int, requests.Session] | None = None
        self._opening = threading.Lock()

    def request(
        self,
        method: str = "",
        path: str = "",
        query_params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object of the answer. Raises `Unavailable` or `Rejected`; sends once, never again."""
        started = time.monotonic()
        outcome = "failed"
        try:
            with self._room():
                answer = self.execute(
                    body, method, path, query_params, self.prepare_request_headers(dict(headers or {}))
                )
            outcome = str(answer.status)
            return read_answer(answer, changes=method != "GET")
        except YooKassaError as error:
            outcome = str(error)
            raise
        finally:
            logger.info("%s %s: %s in %d ms", method, path, outcome, (time.monotonic() - started) * 1000)

    def execute(
        self,
        body: Mapping[str, Any] | None,
        method: str,
        path: str,
        query_params: Mapping[str, str] | None,
        request_headers: Mapping[str, str],
    ) -> Answer:
        content = None if body is None else _written(body)
        changes = method != "GET"
        try:
            with self.get_session().request(
                method,
                self.endpoint + path,
                params=query_params,
                headers=request_headers,
                data=content,
                timeout=(self._connect_timeout, self._read_timeout),
                # Neither key nor order goes to an address that an answer names.
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, self._read(response, changes=changes))
        except requests.RequestException as error:
            unknown = changes and not _never_sent(error)
            raise Unavailable(_reason(error), unknown, trouble=Trouble.NOT_REACHED) from error
        except urllib3.exceptions.HTTPError as error:
            reason = f"the answer broke off ({type(error).__name__})"
            raise Unavailable(reason, changes, trouble=Trouble.NOT_REACHED) from error

    def get_session(self) -> requests.Session:
        session, process = self._session, os.getpid()
        if session is None or session[0] != process:
            with self._opening:
                if self._session is None or self._session[0] != process:
                    # A child must not speak on sockets that it shares with its parent.
                    self._session = process, self._open_session()
                session = self._session
        return session[1]

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None and session[0] == os.getpid():
            session[1].close()

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.auth = _keep_header
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # What is meant for this machine is nothing for a proxy that the environment names.
        session.trust_env = urlsplit(self.endpoint).hostname not in _THIS_MACHINE
        return session

    def _read(self, response: requests.Response, *, changes: bool) -> bytes:
        """Read the body. The timeout of a socket starts anew with each byte, so the whole has an end of its own."""
        deadline = time.monotonic() + self._read_timeout
        content = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            content += chunk
            if len(content) > MOST_BYTES:
                raise Unavailable("the answer is too long", changes)
            if time.monotonic() > deadline:
                raise Unavailable("the answer took too long", changes, trouble=Trouble.NOT_REACHED)
        return bytes(content)


def _written(body: Mapping[str, Any]) -> bytes:
    """The same bytes for the same body, also for one that comes out of jsonb, which keeps an order of its own.

    "The same key and the same body" is all that YooKassa says about a repeat, and not whether it compares values.
    """
    return json.dumps(body, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()


def _keep_header(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without any `auth`, requests replaces the header by what ~/.netrc says about the host.
    return request


def _never_sent(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )


def _reason(error: requests.RequestException) -> str:
    """Name the failure without the address, the body or the headers that the error may quote."""
    if _never_sent(error):
        return "no connection"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return f"the connection failed ({type(error).__name__})"
