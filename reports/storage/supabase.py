"""Supabase Storage as a Django storage, over Supabase's own client. The only importer of it."""

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from storage3 import SyncStorageClient
from storage3._sync.file_api import SyncBucketProxy
from storage3.exceptions import StorageApiError

from bridge.bulkhead import Crowded, waiting_for
from reports.storage.storage import ObjectMissing, StorageRefused, StorageUnavailable
from wording.typed import read_whole

# 401 and 403: our key was changed, which an operator mends; 409 and 423: another transaction of theirs held the object.
# A repeat of any other 400 gets the same answer.
_WORTH_A_REPEAT = frozenset({401, 403, 408, 409, 423, 425, 429})


class SupabaseStorage(Storage):
    """Objects in one private bucket, reached with the service key. `timeout`: seconds for each read and write.

    Every method raises `StorageUnavailable`, `StorageRefused` or `ObjectMissing`. Objects have no address of their own:
    `url` is not supported, on purpose. One instance serves all threads of a process.
    """

    def __init__(
        self, *, url: str, service_key: str, bucket: str, connect_timeout: float = 5.0, timeout: float = 20.0
    ) -> None:
        self._url = f"{url.rstrip('/')}/storage/v1/"
        self._service_key = service_key
        self._bucket_name = bucket
        self._timeout = httpx.Timeout(timeout, connect=connect_timeout)

    @cached_property
    def _http(self) -> httpx.Client:
        # Made at first use, so that a worker's child never shares a connection with its parent. No redirects: they
        # would carry the service key to another host.
        return httpx.Client(timeout=self._timeout, follow_redirects=False)

    @property
    def _bucket(self) -> SyncBucketProxy:
        return self._client().from_(self._bucket_name)

    def _client(self) -> SyncStorageClient:
        headers = {"apikey": self._service_key}
        # A new key (`sb_secret_…`) is no token; the gateway turns it into one, and refuses it in this header.
        if not self._service_key.startswith("sb_"):
            headers["Authorization"] = f"Bearer {self._service_key}"
        return SyncStorageClient(self._url, headers, http_client=self._http)

    def close(self) -> None:
        """Give back the connections; the instance is of no use afterwards."""
        self._http.close()

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Keys are unique already, so this asks nobody."""
        return name

    def is_public(self) -> bool:
        """Whether strangers may read the bucket's objects by their addresses."""
        with _translated():
            return self._client().get_bucket(self._bucket_name).public

    def exists(self, name: str) -> bool:
        try:
            self._info(name)
        except ObjectMissing:
            return False
        return True

    def size(self, name: str) -> int:
        size = self._info(name).get("size")
        if not isinstance(size, int):
            raise StorageUnavailable("Supabase Storage does not say how large the object is")
        return size

    def delete(self, name: str) -> None:
        """Remove the object; without effect when there is none."""
        with _translated():
            self._bucket.remove([name])

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]  # Not generic at run time.
        with _translated():
            return ContentFile(self._bucket.download(name), name=name)

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        with _translated():
            # "no-store": no cache between us and the bucket may keep a family's report.
            self._bucket.upload(
                name, content.read(), {"content-type": media_type, "cache-control": "no-store", "upsert": "true"}
            )
        return name

    def _info(self, name: str) -> dict[str, Any]:
        with _translated():
            return self._bucket.info(name)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our errors instead of those of the client; none of them carries the key."""
    try:
        with waiting_for("Supabase Storage"):
            yield
    except Crowded as error:
        raise StorageUnavailable("not asked, as many threads as may wait for Supabase Storage do so already") from error
    except StorageApiError as error:
        raise _refusal(error) from error
    except httpx.HTTPError as error:
        raise StorageUnavailable(f"Supabase Storage cannot be reached: {type(error).__name__}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageUnavailable("Supabase Storage gave an answer that cannot be read") from error


def _refusal(error: StorageApiError) -> StorageUnavailable | StorageRefused | ObjectMissing:
    # The body's status counts: Storage wraps its 404 and 403 in a 400.
    status = read_whole(str(error.status)) or 500
    said = f"Supabase Storage answered {status} ({str(error.code)[:60]}: {str(error.message)[:200]})"
    if status == 404 and str(error.code).lower() in {"not_found", "nosuchkey", "not found"}:
        return ObjectMissing(said, status=status)
    if status in _WORTH_A_REPEAT or status >= 500 or status < 400:
        return StorageUnavailable(said, status=status)
    return StorageRefused(said, status=status)
