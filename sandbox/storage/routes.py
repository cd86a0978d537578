"""The calls of the Storage API that clients of a private bucket make: method and address to effect and answer."""

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.storage.objects import ObjectStore, StorageFailure, StoredObject

PREFIX = "/storage/v1/"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with its body read."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    def parameter(self, name: str) -> str:
        return parse_qs(urlsplit(self.target).query).get(name, [""])[0]

    def json(self) -> dict[str, Any]:
        try:
            parsed = json.loads(self.body or b"{}")
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise StorageFailure(400, "InvalidRequest", "body must be object")
        return parsed


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: JSON, or the bytes of an object."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    cache_control: str = "no-cache"

    @classmethod
    def of(cls, value: object, status: int = 200) -> "Answer":
        return cls(json.dumps(value).encode(), status=status)

    @classmethod
    def failure(cls, failure: StorageFailure) -> "Answer":
        # As the real one does: the true status stands in the body, and the reply says 400 for most.
        body = {"statusCode": str(failure.status), "error": failure.error, "message": failure.message}
        return cls.of(body, failure.status if failure.status >= 500 else 400)


class Routes:
    """Answers calls out of `store`; only the service key may do anything, and signed addresses what they say."""

    def __init__(self, store: ObjectStore, service_key: str) -> None:
        self._store = store
        self._service_key = service_key

    def answer(self, call: Call, *, truncate: bool = False) -> Answer:
        """Carry the call out. With `truncate`, an upload keeps only half of what it was given."""
        try:
            return self._route(call, truncate=truncate)
        except StorageFailure as failure:
            return Answer.failure(failure)

    def _route(self, call: Call, *, truncate: bool) -> Answer:
        parts = call.path.removeprefix(PREFIX).split("/")
        match call.method, parts:
            case "GET" | "HEAD", ["object", "public", *_]:
                raise StorageFailure(404, "Bucket not found", "Bucket not found")
            case "GET" | "HEAD", ["object", "sign", bucket, *key]:
                self._check_signature(call)
                return self._content(bucket, key)
        self._check_key(call)
        match call.method, parts:
            case "POST", ["object", "sign", bucket, *key]:
                return self._sign(call, bucket, key)
            case "POST", ["object", "list", bucket]:
                return self._list(call, bucket)
            case "GET" | "HEAD", ["object", "info", bucket, *key]:
                return Answer.of(_info(bucket, self._store.get(bucket, "/".join(key))))
            case "POST" | "PUT", ["object", bucket, *key]:
                return self._put(call, bucket, "/".join(key), truncate=truncate)
            case "GET" | "HEAD", ["object", "authenticated", bucket, *key] | ["object", bucket, *key]:
                return self._content(bucket, key)
            case "DELETE", ["object", bucket]:
                return self._delete(call, bucket)
            case "GET", ["bucket", bucket]:
                return self._bucket(bucket)
            case _:
                return Answer.of({"message": f"Route {call.method}:{call.path} not found"}, 404)

    def _bucket(self, bucket: str) -> Answer:
        public = self._store.is_public(bucket)
        made = "2026-01-01T00:00:00.000Z"
        limits = {"file_size_limit": None, "allowed_mime_types": None, "type": "STANDARD"}
        about = {"id": bucket, "name": bucket, "owner": "", "public": public, "created_at": made, "updated_at": made}
        return Answer.of({**about, **limits})

    def _delete(self, call: Call, bucket: str) -> Answer:
        prefixes = call.json().get("prefixes")
        if not isinstance(prefixes, list):
            raise StorageFailure(400, "InvalidRequest", "body must have required property 'prefixes'")
        removed = self._store.remove(bucket, [str(prefix) for prefix in prefixes])
        return Answer.of([{"name": key, "bucket_id": bucket} for key in removed])

    def _put(self, call: Call, bucket: str, key: str, *, truncate: bool) -> Answer:
        upsert = call.method == "PUT" or call.headers.get("x-upsert", "") == "true"
        content, content_type, fields = _form(call)
        kept = content[: len(content) // 2] if truncate else content
        max_age = fields.get("cacheControl", call.headers.get("cache-control", "no-cache"))
        self._store.put(bucket, key, kept, content_type=content_type, cache_control=max_age, upsert=upsert)
        return Answer.of({"Id": sha256(key.encode()).hexdigest()[:32], "Key": f"{bucket}/{key}"})

    def _content(self, bucket: str, key: list[str]) -> Answer:
        found = self._store.get(bucket, "/".join(key))
        return Answer(found.content, found.content_type, cache_control=found.cache_control)

    def _list(self, call: Call, bucket: str) -> Answer:
        prefix = str(call.json().get("prefix") or "").strip("/")
        folder = f"{prefix}/" if prefix else ""
        names = {key.removeprefix(folder).split("/")[0] for key in self._store.keys(bucket, folder)}
        return Answer.of([{"name": name} for name in sorted(names)])

    def _sign(self, call: Call, bucket: str, key: list[str]) -> Answer:
        path = "/".join([bucket, *key])
        self._store.get(bucket, "/".join(key))
        seconds = str(call.json().get("expiresIn", ""))
        if not seconds.isdigit():
            raise StorageFailure(400, "InvalidRequest", "body/expiresIn must be integer")
        until = int(time.time()) + int(seconds)
        return Answer.of({"signedURL": f"/object/sign/{path}?token={until}.{self._signature(path, until)}"})

    def _check_signature(self, call: Call) -> None:
        until, _, given = call.parameter("token").partition(".")
        path = call.path.removeprefix(f"{PREFIX}object/sign/")
        if not until.isdigit() or not hmac.compare_digest(given, self._signature(path, int(until))):
            raise StorageFailure(400, "InvalidJWT", "signature verification failed")
        if int(until) < time.time():
            raise StorageFailure(400, "InvalidJWT", '"exp" claim timestamp check failed')

    def _signature(self, path: str, until: int) -> str:
        return hmac.new(self._service_key.encode(), f"{path} {until}".encode(), sha256).hexdigest()

    def _check_key(self, call: Call) -> None:
        # A new key is no token: it comes in a header of its own, and the gateway makes one of it.
        name, key = ("apikey", "") if self._service_key.startswith("sb_") else ("authorization", "Bearer ")
        given = call.headers.get(name, "").encode()
        wrong_place = name == "apikey" and "authorization" in call.headers
        if wrong_place or not hmac.compare_digest(given, f"{key}{self._service_key}".encode()):
            raise StorageFailure(403, "Unauthorized", "Invalid Compact JWS")


def _form(call: Call) -> tuple[bytes, str, dict[str, str]]:
    """The file of an upload, its type and the other fields; a body that is no form is the file itself."""
    content_type = call.headers.get("content-type", "application/octet-stream")
    if not content_type.startswith("multipart/form-data"):
        return call.body, content_type, {}
    parsed = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + call.body)
    parts = [part for part in parsed.walk() if part is not parsed]
    files = [part for part in parts if part.get_filename()]
    if len(files) != 1:
        raise StorageFailure(400, "InvalidRequest", "No content provided")
    fields = {_name(part): _payload(part).decode() for part in parts if part is not files[0]}
    return _payload(files[0]), str(files[0]["Content-Type"] or "application/octet-stream"), fields


def _name(part: "Message[str, str]") -> str:
    return str(part.get_param("name", "", header="content-disposition"))


def _payload(part: "Message[str, str]") -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _info(bucket: str, found: StoredObject) -> dict[str, object]:
    return {
        "id": sha256(found.key.encode()).hexdigest()[:32],
        "name": found.key,
        "bucket_id": bucket,
        "size": len(found.content),
        "content_type": found.content_type,
        "cache_control": found.cache_control,
        "etag": found.etag,
        "metadata": {},
        "last_modified": found.updated_at.isoformat(),
        "created_at": found.updated_at.isoformat(),
    }
