"""Files that appear whole or not at all."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from sightline.errors import StoreError

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
    refuse_unwritable(path)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
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


def _refused(path: Path, error: OSError) -> StoreError:
    cure = _CURES.get(error.errno or 0, "Check the disk and the folder.")
    return StoreError(f"{path}: cannot be written ({error.strerror or error}). {cure}")


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
