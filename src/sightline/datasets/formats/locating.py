"""Finding the pictures that a list of annotations names, wherever below the data set's folder they lie.

A list may name a picture by its file name, by a path that held on another machine, or by a URI in a cloud. Only the
files that lie below the folder are ever looked at, so no name in a list can lead out of it.
"""

from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sightline.datasets.formats.format import size_of
from sightline.datasets.pictures import pictures_in
from sightline.errors import DatasetError


class Pictures:
    """The pictures below a folder by their names; read once, when made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: defaultdict[str, list[Path]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Path]] = defaultdict(list)
        self._sizes: dict[Path, tuple[int, int]] = {}
        for path in pictures_in(root):
            self._by_name[path.name].append(path)
            self._by_stem[path.stem].append(path)

    def find(self, reference: str, where: str, near: str = "") -> Path:
        """The file that agrees with most of `reference`, from its end on; among equals one in a folder called `near`.

        Raises:
            DatasetError: no file has that name, or several agree with it equally well.
        """
        parts = _parts(reference)
        found = self._by_name.get(parts[-1], []) if parts else []
        if not found:
            raise DatasetError(f'{where}: there is no picture "{reference[:120]}" below {self.root}; copy it there.')
        agreeing = {path: _agreement(path.relative_to(self.root).parts, parts) for path in found}
        best = [path for path in found if agreeing[path] == max(agreeing.values())]
        close = [path for path in best if near and any(p.startswith(near) for p in path.relative_to(self.root).parts)]
        chosen = close or best
        if len(chosen) > 1:
            raise DatasetError(
                f'{where}: "{reference[:120]}" may be {chosen[0]} or {chosen[1]}; give them different names.'
            )
        return chosen[0]

    def size(self, path: Path) -> tuple[int, int]:
        """(height, width) of one of them, read once."""
        if path not in self._sizes:
            self._sizes[path] = size_of(path)
        return self._sizes[path]

    def with_stem(self, stem: str) -> list[Path]:
        """Those that are called so, whatever their suffix."""
        return self._by_stem.get(stem, [])

    def has(self, reference: str) -> bool:
        parts = _parts(reference)
        return bool(parts) and parts[-1] in self._by_name

    def unlisted(self, listed: set[Path]) -> list[Path]:
        """Pictures that are not among the listed ones, sorted."""
        return sorted(path for paths in self._by_name.values() for path in paths if path not in listed)


def _parts(reference: str) -> tuple[str, ...]:
    """The folders and the name in a path or a URI, without what leads up or to a machine."""
    path = unquote(urlsplit(reference).path) if "://" in reference else reference
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _agreement(path: tuple[str, ...], reference: tuple[str, ...]) -> int:
    """How many parts are the same, counted from the end."""
    pairs = list(zip(reversed(path), reversed(reference), strict=False))
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs))
