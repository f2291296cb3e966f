"""What a kind of job is, and what a running job works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import DatasetError, OptionError
from sightline.service.parameters import read, schema

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where jobs find things and leave them."""

    database: str  # its address
    data: Path  # folders with pictures
    models: Path  # `.sight` files
    results: Path  # a folder for each job, by its id

    def folder_of(self, job_id: str) -> Path:
        return self.results / job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a running job works with."""

    site: Site
    folder: Path  # its own, for what it leaves; what an earlier attempt left is still there
    progress: Progress
    say: Callable[[str], None]  # a line for its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of job. `run` may be begun again after its process died, in the same folder."""

    name: str
    told: str  # what it does, in one line
    options: type[Any]  # a dataclass that refuses in `__post_init__` what cannot work
    run: Callable[[Any, Task], Mapping[str, Any]]  # -> the result, which must fit in JSON


def inside(folder: Path, name: str, what: str) -> Path:
    """A path that somebody named, below a folder of the settings.

    Raises:
        DatasetError: it leads out of the folder, by dots or by a link, or does not exist.
    """
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise DatasetError(f"{what} {name!r:.100}: does not exist; give its path below the server's folder.") from error
    if not path.is_relative_to(root):
        raise DatasetError(f"{what} {name!r:.100}: leads out of the server's folder; give a path below it.")
    return path


def checked(kinds: Mapping[str, Kind], name: str, params: Mapping[str, Any]) -> tuple[Kind, Any]:
    """The kind and its options; raises OptionError for a kind or a parameter that cannot be."""
    if name not in kinds:
        raise OptionError(f"job {name!r:.40}: is no kind of job; there are {', '.join(kinds)}.")
    return kinds[name], read(kinds[name].options, params, name)


def described(kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Each kind with the schema of its parameters."""
    return [{"kind": one.name, "told": one.told, "params": schema(one.options)} for one in kinds.values()]
