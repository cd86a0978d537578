"""Tokens of Supabase's users, and an Auth server that publishes keys, knows sessions, and misbehaves on request.

HS256 tokens come from `sandbox.tokens.access_token`; a `KeyPair` signs those of a hosted Supabase, which say
who issued them.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from balansity.sandbox_keys import SANDBOX_JWT_ISSUER
from sandbox.tokens import access_token, user_claims

__all__ = [
    "HANGS_SECONDS",
    "AuthServer",
    "Fault",
    "KeyPair",
    "access_token",
    "ec_key",
    "hosted_claims",
    "rsa_key",
    "serving_auth",
]


def hosted_claims(user_id: UUID | str, *, email: str = "", **claims: Any) -> dict[str, Any]:
    """What a token of a hosted Supabase says."""
    return user_claims(user_id, email=email, **{"iss": SANDBOX_JWT_ISSUER, **claims})


@dataclass(frozen=True)
class KeyPair:
    """A private key with the id and the algorithm that it is published under."""

    key_id: str
    algorithm: str
    private: Any

    def published(self) -> dict[str, Any]:
        """The entry of a JWKS."""
        public = self.private.public_key()
        to_jwk = ECAlgorithm.to_jwk if self.algorithm == "ES256" else RSAAlgorithm.to_jwk
        return {**to_jwk(public, as_dict=True), "kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def access_token(self, user_id: UUID | str, *, email: str = "", **claims: Any) -> str:
        payload = hosted_claims(user_id, email=email, **claims)
        return jwt.encode(payload, self.private, algorithm=self.algorithm, headers={"kid": self.key_id})


def ec_key(key_id: str = "ec-1") -> KeyPair:
    return KeyPair(key_id, "ES256", ec.generate_private_key(ec.SECP256R1()))


@cache
def rsa_key(key_id: str = "rsa-1") -> KeyPair:
    """One for each id in a process: to find its primes takes longer than the tests that sign with it."""
    return KeyPair(key_id, "RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))


# How long one hangs who waits for it: nobody does.
HANGS_SECONDS = 60.0


class Fault(Enum):
    DOWN = "an error of the server"
    SILENT = "no answer"
    DRIP = "an answer that never ends, byte by byte"
    GARBAGE = "a page instead of JSON"
    NO_KEYS = "JSON of another shape"
    REDIRECT = "an answer that is elsewhere"


@dataclass
class AuthServer:
    """What of Supabase's Auth server we talk to. `keys` are published; `sessions` are tokens and their users.

    `users` holds what is said about a user besides the usual. With a `gateway_key` a gateway stands in front that lets
    nobody through without it, whatever the path is.
    """

    url: str
    keys: list[KeyPair] = field(default_factory=list)
    sessions: dict[str, UUID] = field(default_factory=dict)
    fault: Fault | None = None
    gateway_key: str = ""
    users: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if self.gateway_key and headers.get("apikey") != self.gateway_key:
            # Kong's words, and those of Supabase's own gateway when a key is there and is none of its own.
            return 401, {"message": "Invalid API key" if "apikey" in headers else "No API key found in request"}
        if path == "/auth/v1/.well-known/jwks.json":
            return 200, {"keys": [key.published() for key in self.keys]}
        if path != "/auth/v1/user" or not headers.get("apikey"):
            return 404, {}
        user_id = self.sessions.get(headers.get("Authorization", "").removeprefix("Bearer "))
        if user_id is None:
            return 403, {
                "code": 403,
                "error_code": "bad_jwt",
                "msg": "invalid JWT: unable to parse or verify signature",
            }
        usual = {"id": str(user_id), "aud": "authenticated", "role": "authenticated", "is_anonymous": False}
        return 200, {**usual, **self.users.get(user_id, {})}


class _Handler(BaseHTTPRequestHandler):
    server: "_Http"

    def do_GET(self) -> None:
        auth = self.server.auth
        auth.requests.append((self.path, dict(self.headers)))
        status, body = auth.answer(self.path, dict(self.headers))
        content = json.dumps(body).encode()
        match auth.fault:
            case None:
                self._send(status, content)
            case Fault.DOWN:
                self._send(503, content)
            case Fault.GARBAGE:
                self._send(200, b"<html>Bad gateway</html>")
            case Fault.NO_KEYS:
                self._send(200, b'["keys"]')
            case Fault.REDIRECT:
                self._send(302, content, Location=f"{auth.url}/elsewhere")
            case Fault.SILENT:
                auth.closing.wait(HANGS_SECONDS)
            case Fault.DRIP:
                self._drip()

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        until = time.monotonic() + HANGS_SECONDS
        try:
            while not self.server.auth.closing.wait(0.02) and time.monotonic() < until:
                self.wfile.write(b" ")
        except OSError:
            # The client has had enough.
            return

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Http(ThreadingHTTPServer):
    auth: AuthServer


@contextmanager
def serving_auth(*keys: KeyPair) -> Iterator[AuthServer]:
    """An Auth server on a free port, over real HTTP."""
    with _Http(("127.0.0.1", 0), _Handler) as http:
        http.auth = AuthServer(f"http://127.0.0.1:{http.server_port}", list(keys))
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http.auth
        finally:
            http.auth.closing.set()
            http.shutdown()
            thread.join()
