"""What a kind of job is, and what a running job works with."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import DatasetError, OptionError
from sightline.service.parameters import read, schema
from sightline.store import models
from sightline.store.database import Database
from sightline.store.models import ModelFiles
from sightline.store.pictures import Pictures
from sightline.store.retention import Retention, Tier, read_retention
from sightline.store.shelf import Shelf

Progress = Callable[[str, int, int], None]  # stage, done, total
SCRATCH = ".scratch"  # how names begin, in a job's folder, of what is of use until the job ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where jobs find things and leave them."""

    database: str  # its address
    data: Path  # folders with pictures
    results: Path  # a folder for each job, by its id
    models: str  # address of the shelf with the plant's models
    pictures: Mapping[str, str] = field(default_factory=dict)  # addresses of the shelves of its pictures, by tier
    retention: Path | None = None  # the rules by which they are kept; None: the defaults
    max_megapixels: float = 50.0  # of a picture that is kept

    def folder_of(self, job_id: str) -> Path:
        return self.results / job_id

    def model_files(self) -> ModelFiles:
        return ModelFiles(Shelf(self.models), self.results / "models")

    def kept_pictures(self, database: Database) -> Pictures:
        """Raises OptionError where there is no place for them, or a rule cannot be."""
        shelves = {Tier(name): Shelf(address) for name, address in self.pictures.items()}
        retention = read_retention(self.retention) if self.retention else Retention()
        return Pictures(database, shelves, retention, max_megapixels=self.max_megapixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a running job works with."""

    site: Site
    folder: Path  # its own, for what it leaves; what an earlier attempt left is still there
    author: str  # who started it
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


def model_file(site: Site, wanted: str) -> Path:
    """The file of a model that the plant knows.

    Args:
        wanted: NAME for the current version, or NAME/VERSION.

    Raises:
        OptionError: it is neither. NotFoundError: there is no such version.
    """
    name, slash, version = wanted.partition("/")
    if slash and not (version.isdecimal() and len(version) < 10):
        raise OptionError(f"model {wanted!r:.100}: give NAME for the current version, or NAME/VERSION.")
    with closing(Database(site.database)) as database:
        return site.model_files().path_of(models.one(database, name, int(version) if slash else None).digest)


def checked(kinds: Mapping[str, Kind], name: str, params: Mapping[str, Any]) -> tuple[Kind, Any]:
    """The kind and its options; raises OptionError for a kind or a parameter that cannot be."""
    if name not in kinds:
        raise OptionError(f"job {name!r:.40}: is no kind of job; there are {', '.join(kinds)}.")
    return kinds[name], read(kinds[name].options, params, name)


def described(kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """Each kind with the schema of its parameters."""
    return [{"kind": one.name, "told": one.told, "params": schema(one.options)} for one in kinds.values()]
