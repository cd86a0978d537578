"""Questions to Supabase's Auth server: short, small, and never redirected."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

TIMEOUT_SECONDS = 3.0
# What `bridge.bulkhead` knows it as.
AUTH_SERVER = "Supabase Auth"
LARGEST_BODY = 256 * 1024


class SupabaseUnreachable(Exception):
    """No answer in time, or none that could be read. `str()` of it is safe to log."""


@dataclass(frozen=True)
class Answer:
    """`body` is the parsed JSON of a 200. With another status it is `None` where there is none to read."""

    status: int
    body: Any


class _OwnHeaders(AuthBase):
    """Keeps `requests` from replacing our Authorization header with what a `.netrc` says."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return what `url` answers, or raise `SupabaseUnreachable`, within about twice `TIMEOUT_SECONDS`."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        with requests.get(
            url,
            headers={"Accept": "application/json", **(headers or {})},
            auth=_OwnHeaders(),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code == 200:
                return Answer(200, json.loads(_read(response, deadline)))
            return Answer(response.status_code, _read_error(response, deadline))
    except (requests.RequestException, HTTPError, OSError) as error:
        # Its text may name the headers or the inside of a body.
        raise SupabaseUnreachable(f"no answer ({type(error).__name__})") from error
    except (ValueError, RecursionError) as error:
        raise SupabaseUnreachable("the answer is not JSON") from error


def _read_error(response: requests.Response, deadline: float) -> Any:
    """What a refusal says, for telling whose it is. Its status counts without it."""
    if response.status_code not in {401, 403}:
        return None
    try:
        return json.loads(_read(response, deadline))
    except (HTTPError, OSError, ValueError, RecursionError, SupabaseUnreachable):
        return None


def _read(response: requests.Response, deadline: float) -> bytes:
    body = b""
    # What is there, and not a full buffer: the timeout of a socket starts anew with every byte.
    while chunk := response.raw.read1(16 * 1024, decode_content=True):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise SupabaseUnreachable("the answer is too long")
        if time.monotonic() > deadline:
            raise SupabaseUnreachable("the answer takes too long")
    return body
