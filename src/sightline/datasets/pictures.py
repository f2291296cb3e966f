"""Finding picture files on disk: sorted, hidden ones left out, safe with links that lead in circles."""

import os
from pathlib import Path

from sightline.errors import DatasetError
from sightline.imaging.depth import is_depth_name

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


def is_picture(path: Path) -> bool:
    """Whether the name is one of a picture, which a depth map is not; the content is not looked at."""
    hidden = path.name.startswith(".")
    return path.suffix.lower() in PICTURE_SUFFIXES and not hidden and not is_depth_name(path)


def is_file(path: Path) -> bool:
    """Like `Path.is_file`, and False for names that no file can have (too long, NUL inside)."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def subfolders(folder: Path) -> dict[str, Path]:
    """Visible folders directly in `folder` by name, sorted; empty if it is no folder."""
    if not folder.is_dir():
        return {}
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise _unlistable(error) from error
    return {child.name: child for child in children if child.is_dir() and not child.name.startswith(".")}


def pictures_in(folder: Path, *, nested: bool = True) -> list[Path]:
    """Pictures in `folder`, and with `nested` in the folders below it; sorted by path.

    A folder that can be reached twice (links) is read once.

    Raises:
        DatasetError: a folder cannot be listed.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, onerror=_raise_unlistable, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if nested and not name.startswith("."))
        candidates = (Path(here, name) for name in files)
        found += (path for path in candidates if is_picture(path) and is_file(path))
    return sorted(found)


def _raise_unlistable(error: OSError) -> None:
    raise _unlistable(error) from error


def _unlistable(error: OSError) -> DatasetError:
    return DatasetError(f"{error.filename}: the folder cannot be listed ({error.strerror}); check its permissions.")
