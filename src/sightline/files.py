"""Files and folders that appear whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sightline.errors import DatasetError, StoreError, StoreFull

_CURES = {
    errno.ENOSPC: "The disk is full: free some space, or write to another disk.",
    errno.EDQUOT: "The disk quota is used up: free some space, or write to another disk.",
    errno.EACCES: "No permission to write there: choose another folder, or change its permissions.",
    errno.EPERM: "No permission to write there: choose another folder, or change its permissions.",
    errno.EROFS: "The disk is read-only: write to another disk.",
    errno.ENOENT: "Its folder does not exist: make it first, or correct its name.",
    errno.ENOTDIR: "A part of the path is a file: correct it.",
    errno.EISDIR: "A folder or a device has this name: choose another.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that a reader sees the old or the new file, never a part.

    Raises:
        StoreError: it could not be written; the folder is left as it was.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file in; it becomes `path`, durably, at the end, and vanishes after an error.

    Raises:
        StoreError: it could not be written; the folder is left as it was.
    """
    refuse_unwritable(path)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refused(path, error) from error
    finally:  # also after Ctrl-C; after the renaming there is nothing left to remove
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Raise StoreError where a file could plainly not be written, before hours of work go into its content."""
    folder = path.parent
    code = 0
    try:
        if path.exists() and not path.is_file():  # as root, replacing /dev/null would succeed
            code = errno.EISDIR
        elif not folder.is_dir():
            code = errno.ENOTDIR if folder.exists() else errno.ENOENT
        elif not os.access(folder, os.W_OK | os.X_OK):
            code = errno.EACCES
    except OSError as error:  # a name that is too long, a folder above that may not be entered
        raise _refused(path, error) from error
    if code:
        raise _refused(path, OSError(code, os.strerror(code)))


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """A place beside `folder` to build it in; it becomes `folder` at the end, and vanishes after an error.

    Files in it may be written in any way: they are made durable together, which is faster than one by one.

    Raises:
        DatasetError: the folder is there already and not empty, or is a file.
        StoreError: it, or anything in it, cannot be written.
    """
    _refuse_occupied(folder)
    built = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.partial"  # as deep: relative paths in it stay true
    try:
        built.mkdir(parents=True)
        yield built
        if hasattr(os, "sync"):  # not on Windows
            os.sync()
        _move_into_place(built, folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error}); choose another place.") from error
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _refuse_occupied(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise DatasetError(f"{folder}: the folder is not empty; give a new one, or empty it first.")
    elif folder.exists() or folder.is_symlink():
        raise DatasetError(f"{folder}: is there already and is not a folder; give a new folder.")


def _move_into_place(built: Path, folder: Path) -> None:
    try:
        built.replace(folder)  # replaces an empty folder; one that was filled meanwhile is refused
    except OSError:
        _refuse_occupied(folder)
        raise


def _refused(path: Path, error: OSError) -> StoreError:
    cure = _CURES.get(error.errno or 0, "Check the disk and the folder.")
    kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
    return kind(f"{path}: cannot be written ({error.strerror or error}). {cure}")


def _sync_folder(folder: Path) -> None:
    """Make a renaming durable, where the system has that."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(handle)
