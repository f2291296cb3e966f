"""Local folders that stand in for buckets: s3://BUCKET/KEY is FOLDER/KEY."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sightline.errors import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Which folder each bucket is; nothing outside them is ever opened."""

    folders: Mapping[str, Path] = field(default_factory=dict)

    def path(self, bucket: str, key: str) -> Path:
        """The file that a key stands for, whether or not it is there.

        Raises:
            DatasetError: no folder stands for the bucket, or the key leads out of it, by `..` or by a link.
        """
        folder = self.folders.get(bucket)
        if folder is None:
            known = ", ".join(sorted(self.folders)) or "none"
            raise DatasetError(f"s3://{bucket[:80]}: no folder stands for this bucket; there is {known}.")
        root = folder.resolve()
        try:
            path = (root / key).resolve()
        except (ValueError, OSError, RuntimeError) as error:  # a null character, a ring of links
            raise DatasetError(f"s3://{bucket}/{key[:80]!r}: is no file name.") from error
        if not key or not path.is_relative_to(root) or path == root:
            raise DatasetError(f"s3://{bucket}/{key[:200]}: leads out of the bucket's folder.")
        return path

    def file(self, uri: str) -> Path:
        """The file that s3://BUCKET/KEY stands for; raises DatasetError as `path`, and where there is none."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://"):
            raise DatasetError(f"{uri[:200]!r}: is not s3://BUCKET/KEY.")
        path = self.path(bucket, key)
        if not path.is_file():
            raise DatasetError(f"{uri[:200]}: there is no such file in the bucket's folder.")
        return path
