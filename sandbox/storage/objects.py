"""Buckets and objects in a folder, with Supabase's own errors."""

import json
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path

_SEGMENT = re.compile(r"[\w!.*'() &$@=;:+,?-]+")


class StorageFailure(Exception):
    """An answer of the API: the status in the body, and the text that goes with it."""

    def __init__(self, status: int, error: str, message: str) -> None:
        self.status, self.error, self.message = status, error, message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    content: bytes
    content_type: str
    cache_control: str
    updated_at: datetime

    @property
    def etag(self) -> str:
        return f'"{md5(self.content, usedforsecurity=False).hexdigest()}"'


class ObjectStore:
    """Private buckets. An object is a file, and beside it one with what the upload said about it."""

    def __init__(self, folder: Path, buckets: tuple[str, ...], *, most_bytes: int = 50_000_000) -> None:
        self._folder = folder
        self._buckets = frozenset(buckets)
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        # Of buckets that somebody opened to everybody, by a switch in Supabase's dashboard.
        self.opened: set[str] = set()

    def is_public(self, bucket: str) -> bool:
        self._bucket(bucket)
        return bucket in self.opened

    def put(
        self, bucket: str, key: str, content: bytes, *, content_type: str, cache_control: str, upsert: bool
    ) -> None:
        path = self._path(bucket, key)
        if len(content) > self._most_bytes:
            raise StorageFailure(413, "Payload too large", "The object exceeded the maximum allowed size")
        with self._lock:
            if path.exists() and not upsert:
                raise StorageFailure(409, "Duplicate", "The resource already exists")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._about(path).write_text(
                json.dumps({"content_type": content_type, "cache_control": cache_control}), encoding="utf-8"
            )

    def get(self, bucket: str, key: str) -> StoredObject:
        path = self._path(bucket, key)
        with self._lock:
            if not path.is_file():
                raise StorageFailure(404, "not_found", "Object not found")
            about = json.loads(self._about(path).read_text(encoding="utf-8"))
            updated_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            return StoredObject(key, path.read_bytes(), about["content_type"], about["cache_control"], updated_at)

    def remove(self, bucket: str, keys: list[str]) -> list[str]:
        """Delete objects; returns the keys of those that there were."""
        paths = {key: self._path(bucket, key) for key in keys}
        with self._lock:
            found = [key for key, path in paths.items() if path.is_file()]
            for key in found:
                paths[key].unlink()
                self._about(paths[key]).unlink()
        return found

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        root = self._bucket(bucket)
        with self._lock:
            paths = [path for path in root.rglob("*") if path.is_file() and not path.name.endswith(".about")]
        return sorted(key for path in paths if (key := path.relative_to(root).as_posix()).startswith(prefix))

    def _path(self, bucket: str, key: str) -> Path:
        segments = key.split("/")
        if any(segment in ("", ".", "..") or not _SEGMENT.fullmatch(segment) for segment in segments):
            raise StorageFailure(400, "InvalidKey", f"Invalid key: {key}")
        return self._bucket(bucket).joinpath(*segments)

    def _bucket(self, bucket: str) -> Path:
        if bucket not in self._buckets:
            raise StorageFailure(404, "Bucket not found", "Bucket not found")
        return self._folder / bucket

    def _about(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.about")
