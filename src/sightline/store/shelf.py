"""Where files lie by their content: a folder, or a bucket of S3 or GCS, through fsspec.

A file is named by its SHA-256, so it is never changed, and writing it twice does no harm. In a folder it is written
under another name and then renamed; a store shows an object whole or not at all. What is read is compared with its
name. Credentials are those of the environment, as the store's own tools take them; there are none in an address.
"""

import hashlib
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from sightline.errors import NotFoundError, OptionError, StoreAway, StoreError
from sightline.files import write_bytes

SHARDS = tuple(f"{number:02x}" for number in range(256))  # folders by the first two digits of the name
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20
_AT_ONCE = 16  # files on their way to the disk, whose journal then waits for them together
_DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(digest: str) -> str:
    """The digest, which is safe as a file's name; OptionError for anything else."""
    if not _DIGEST.fullmatch(digest):
        raise OptionError(f"digest {digest!r:.80}: give the SHA-256 of the content, 64 lower-case hex digits.")
    return digest


class Shelf:
    """One folder or bucket; threads may share it. It holds nothing open that would have to be closed."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: a folder's path, file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or memory://NAME in tests.

        Raises:
            OptionError: the address cannot be used, or its driver is not installed.
            StoreError: the folder cannot be made.
        """
        protocol = url.partition("://")[0] if "://" in url else "file"
        if protocol not in ("file", "memory", *_DRIVERS):
            raise OptionError(f"storage {url!r:.120}: give a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.")
        self.url = url
        try:
            self._files, base = _opened(url, protocol)
        except (ImportError, ValueError) as error:
            raise OptionError(f"storage {url!r:.120}: cannot be used. Run: pip install {_DRIVERS[protocol]}") from error
        self._base = base.rstrip("/")
        self.is_folder = protocol == "file"
        if self.is_folder:
            self._make_folders()

    def put(self, digest: str, content: bytes) -> None:
        """Keep it, durably; StoreError where that fails, and then nothing of it is seen."""
        if self.is_folder:
            write_bytes(Path(self._place(digest)), content)
            return
        with self._told(digest):
            self._files.pipe_file(self._place(digest), content)

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """As `put`, of several by their digests, in about the time of one; after an error some of them are kept."""
        if not contents:
            return
        with ThreadPoolExecutor(min(len(contents), _AT_ONCE)) as writers:
            list(writers.map(self.put, contents.keys(), contents.values()))  # raises what one of them raised

    def put_file(self, digest: str, path: Path) -> None:
        """As `put`, of a file that may be large and has this digest."""
        with self._told(digest):
            if self.is_folder:
                partial = Path(self._place(digest)).with_suffix(f".{secrets.token_hex(8)}.partial")
                try:
                    _copy(path, partial)
                    partial.replace(self._place(digest))
                finally:
                    partial.unlink(missing_ok=True)
                return
            self._files.put_file(str(path), self._place(digest))

    def get(self, digest: str, most_bytes: int) -> bytes:
        """What lies under the digest, and is what it says.

        Raises:
            NotFoundError: nothing does. StoreError: it is damaged or longer than `most_bytes`. StoreAway: try again.
        """
        with self._told(digest), self._files.open(self._place(digest), "rb") as file:
            content: bytes = file.read(most_bytes + 1)
        if len(content) > most_bytes or digest_of(content) != digest:
            raise StoreError(f"{self.url}: what is kept as {digest[:12]} is damaged. Bring it back from a backup.")
        return content

    def fetch(self, digest: str, path: Path) -> None:
        """Copy what lies under the digest into a new file, checked; errors as `get`, and then there is no file."""
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
        try:
            with self._told(digest), self._files.open(self._place(digest), "rb") as source, partial.open("wb") as file:
                while chunk := source.read(_CHUNK_BYTES):
                    file.write(chunk)
            if digest_of_file(partial) != digest:
                raise StoreError(f"{self.url}: what is kept as {digest[:12]} is damaged. Bring it back from a backup.")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def path_of(self, digest: str) -> Path | None:
        """Where it lies on this machine; None in a bucket."""
        return Path(self._place(digest)) if self.is_folder else None

    def has(self, digest: str) -> bool:
        with self._told(digest):
            return bool(self._files.exists(self._place(digest)))

    def remove(self, digest: str) -> None:
        """Nothing lies there any more; that nothing did is no error."""
        with self._told(digest):
            try:
                self._files.rm_file(self._place(digest))
            except FileNotFoundError:
                return

    def names(self, shard: str) -> list[str]:
        """Digests that begin so, one of SHARDS; in a folder, leftovers of a killed writer are removed after an hour."""
        with self._told(shard):
            try:
                found = [str(name).rpartition("/")[2] for name in self._files.ls(f"{self._base}/{shard}", detail=False)]
            except FileNotFoundError:
                return []
        if self.is_folder:
            self._sweep(Path(self._base, shard), found)
        return sorted(name for name in found if _DIGEST.fullmatch(name))

    def _sweep(self, folder: Path, names: list[str]) -> None:
        for name in names:
            if name.endswith(".partial"):
                with self._told(name):
                    leftover = folder / name
                    if leftover.exists() and leftover.stat().st_mtime < time.time() - 3600:
                        leftover.unlink(missing_ok=True)

    def _place(self, digest: str) -> str:
        return f"{self._base}/{check_digest(digest)[:2]}/{digest}"

    def _make_folders(self) -> None:
        if Path(self._base, SHARDS[-1]).is_dir():  # the last that is made
            return
        try:
            for shard in SHARDS:
                Path(self._base, shard).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._base}: cannot be made ({error.strerror}). Choose another folder.") from error

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.url}: there is no {name[:12]}.") from error
        except _failures() as error:
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
            raise StoreAway(f"{self.url}: does not answer ({reason}). Check the storage; it is tried again.") from error


def _opened(url: str, protocol: str) -> tuple[fsspec.AbstractFileSystem, str]:
    if protocol == "file":
        return LocalFileSystem(), str(Path(url.removeprefix("file://")).resolve())
    files, base = url_to_fs(url, use_listings_cache=False)  # another server writes there too
    return files, str(base)


def _failures() -> tuple[type[Exception], ...]:
    """What can go wrong with a folder, and with buckets whose drivers are loaded."""
    found: list[type[Exception]] = [OSError]
    if core := sys.modules.get("botocore.exceptions"):
        found += [core.BotoCoreError, core.ClientError]
    if client := sys.modules.get("aiohttp"):
        found.append(client.ClientError)
    return tuple(found)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("xb") as copy:
        while chunk := file.read(_CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
