"""The object store: an S3 bucket with versions and object lock, reached by the minio SDK in threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import islice

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.datatypes import Object
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.helpers import MIN_PART_SIZE
from minio.retention import Retention
from urllib3.exceptions import HTTPError

from archive_store.foundation.settings import Settings
from archive_store.foundation.workers import Workers

_calls = Workers("object-store", 4)
# Apart, so that a probe tells of the store and not of how busy we are.
_probes = Workers("object-store-probe", 1)
_PAGE = 1000
PIECE_SIZE = 256 * 1024
_NOT_THERE = ("NoSuchKey", "NoSuchVersion", "NoSuchObject", "MethodNotAllowed")
_NOT_LOCKED = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")


class ObjectStoreError(RuntimeError):
    """The object store refused."""


class ObjectStoreAwayError(ObjectStoreError):
    """The object store could not be reached, or is not able to answer now; what was asked may have been done."""


class ObjectMissingError(ObjectStoreError):
    """The object store answers, and has no such version of an object."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object as it is listed; a delete marker (删除标记) has no bytes."""

    key: str
    version: str
    stored_at: datetime | None
    is_delete_marker: bool


class ObjectStore:
    """Objects of one bucket, each held whole in memory. The `…_blocking` calls are for worker threads."""

    def __init__(self, client: Minio, probing: Minio, bucket: str) -> None:
        self._client = client
        self._probing = probing
        self.bucket = bucket

    @classmethod
    def from_settings(cls, settings: Settings) -> ObjectStore:
        retries = urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[502, 503, 504])
        return cls(
            _client(settings, urllib3.PoolManager(timeout=_timeout(5, 60), maxsize=20, retries=retries)),
            _client(settings, urllib3.PoolManager(timeout=_timeout(2, 2), maxsize=1, retries=False)),
            settings.s3_bucket,
        )

    async def ensure_bucket(self) -> None:
        """Make the bucket once, with versions and object lock."""
        await _calls.run(self._ensure_bucket)

    def _ensure_bucket(self) -> None:
        try:
            if not self._client.bucket_exists(self.bucket):
                self._client.make_bucket(self.bucket, object_lock=True)
        except S3Error as error:
            # Another process was first.
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise ObjectStoreError(str(error.code)) from error
        except (MinioException, HTTPError) as error:
            raise _told(error) from error

    async def probe(self) -> None:
        """Raise unless the bucket answers soon."""
        if not await _probes.run(self._probing.bucket_exists, self.bucket):
            raise ObjectStoreError("the bucket is missing")

    def put_blocking(self, key: str, content: bytes) -> str:
        """Store an object; the new version's id. ObjectStoreError where it is not stored for certain."""
        try:
            # One request, whatever the size: callers keep objects small enough to hold.
            part_size = max(len(content), MIN_PART_SIZE)
            stored = self._client.put_object(
                self.bucket, key, BytesIO(content), length=len(content), part_size=part_size
            )
        except (MinioException, HTTPError) as error:
            raise _told(error) from error
        if not stored.version_id:
            raise ObjectStoreError("the bucket keeps no versions")
        return stored.version_id

    def pieces_blocking(self, key: str, version: str) -> Generator[bytes, None, None]:
        """All bytes of the object, in pieces of up to PIECE_SIZE, the first of which is not short."""
        try:
            response = self._client.get_object(self.bucket, key, version_id=version)
            try:
                yield from response.stream(PIECE_SIZE)
            finally:
                # A connection with bytes still to come must not be used again.
                if response.length_remaining:
                    response.close()
                response.release_conn()
        except (MinioException, HTTPError) as error:
            raise _told(error) from error

    def get_blocking(self, key: str, version: str, start: int = 0, end: int | None = None) -> bytes:
        """The object's bytes from `start` to before `end`; fewer where it has fewer."""
        length = 0 if end is None else end - start
        try:
            response = self._client.get_object(
                self.bucket, key, offset=start, length=length, version_id=version
            )
            try:
                return response.read()
            finally:
                response.release_conn()
        except (MinioException, HTTPError) as error:
            raise _told(error) from error

    async def lock(self, key: str, version: str, until: datetime) -> None:
        """Keep a version from being removed or replaced until then; a longer lock stays, as nobody can shorten one
        (compliance mode)."""
        await _calls.run(self._lock, key, version, until)

    def _lock(self, key: str, version: str, until: datetime) -> None:
        try:
            self._client.set_object_retention(
                self.bucket, key, Retention(COMPLIANCE, until), version_id=version
            )
        except (MinioException, HTTPError) as error:
            # Asked only after a refusal: servers differ in how they say that an object has no lock.
            held = self._locked_until(key, version)
            if held is None or held < until.replace(microsecond=0):
                raise _told(error) from error

    async def hold(self, key: str, version: str, *, is_held: bool) -> None:
        """Set or end the legal hold of a version: while it is held nobody can remove it, locked or not."""
        await _calls.run(self._hold, key, version, is_held)

    def _hold(self, key: str, version: str, is_held: bool) -> None:
        client = self._client
        call = client.enable_object_legal_hold if is_held else client.disable_object_legal_hold
        try:
            call(self.bucket, key, version_id=version)
        except (MinioException, HTTPError) as error:
            raise _told(error) from error

    async def locked_until(self, key: str, version: str) -> datetime | None:
        """Until when nobody can remove the version (compliance mode); None where it is not locked so."""
        return await _calls.run(self._locked_until, key, version)

    def _locked_until(self, key: str, version: str) -> datetime | None:
        try:
            held = self._client.get_object_retention(self.bucket, key, version_id=version)
        except S3Error as error:
            if error.code in _NOT_LOCKED:
                return None
            raise _told(error) from error
        except (MinioException, HTTPError) as error:
            raise _told(error) from error
        return held.retain_until_date if held is not None and held.mode == COMPLIANCE else None

    async def remove(self, key: str, version: str) -> None:
        """Remove one version."""
        await _calls.run(self._remove, key, version)

    def _remove(self, key: str, version: str) -> None:
        try:
            self._client.remove_object(self.bucket, key, version_id=version or None)
        except (MinioException, HTTPError) as error:
            raise _told(error) from error

    async def versions(self, prefix: str) -> list[tuple[str, str]]:
        """(key, version id) of every object version whose key begins so, in the order of the keys."""
        return [(found.key, found.version) async for page in self.pages(prefix) for found in page]

    async def pages(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """Every object version whose key begins so, a page at a time, in the order of the keys."""
        found = self._client.list_objects(self.bucket, prefix=prefix, recursive=True, include_version=True)
        while page := await _calls.run(_page, found):
            yield page


def _told(error: MinioException | HTTPError) -> ObjectStoreError:
    if isinstance(error, S3Error):
        if error.code in _NOT_THERE:
            return ObjectMissingError(str(error.code))
        is_away = error.response is not None and error.response.status >= 500
        return (ObjectStoreAwayError if is_away else ObjectStoreError)(str(error.code))
    is_away = isinstance(error, (HTTPError, ServerError, InvalidResponseError))
    return (ObjectStoreAwayError if is_away else ObjectStoreError)(type(error).__name__)


def _page(found: Iterator[Object]) -> list[ObjectVersion]:
    try:
        return [
            ObjectVersion(
                item.object_name or "", item.version_id or "", item.last_modified, item.is_delete_marker
            )
            for item in islice(found, _PAGE)
        ]
    except (MinioException, HTTPError) as error:
        raise _told(error) from error


def _client(settings: Settings, pool: urllib3.PoolManager) -> Minio:
    return Minio(
        settings.s3_endpoint,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
        secure=settings.s3_secure,
        http_client=pool,
    )


def _timeout(connect: float, read: float) -> urllib3.Timeout:
    return urllib3.Timeout(connect=connect, read=read)
