"""Projects of Lookout for Vision in a folder: data sets as manifests, models as `.sight` files.

    FOLDER/PROJECT/project.json, train.manifest, test.manifest, VERSION.csv, VERSION.sight

A model that the server has loaded by another way is a project too, with the one version that is loaded. A version has
the same number here as among the plant's models; what is started is the plant's current version.
"""

import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol

from sightline.datasets import csv_file
from sightline.datasets.dataset import Dataset, Sample
from sightline.errors import AccessError, ConflictError, DatasetError, NotFoundError, OptionError, StoreError
from sightline.files import write_bytes
from sightline.service.hosting import Hosting
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.lookout_entries import Entry, merged, parse
from sightline.service.serving import Served, Serving, State
from sightline.store.database import Database
from sightline.store.models import Change
from sightline.store.turns import alone

KINDS = ("train", "test")
MOST_PROJECTS = 1000
MOST_MODELS = 1000  # of a project
MOST_MANIFEST_BYTES = 64 << 20
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_\-]{0,254}")
_HOSTING = {State.READY: "HOSTED", State.LOADING: "STARTING_HOSTING", State.FAILED: "HOSTING_FAILED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is."""

    state: str  # waiting, running, done, failed, cancelled
    message: str = ""
    # among them f1, recall and precision where there were test pictures
    figures: Mapping[str, object] = field(default_factory=dict)


class Trainer(Protocol):
    """Whoever trains in the background."""

    def start(self, kind: str, params: dict[str, str]) -> str:
        """Begin a job and give its id; of `train`, params are data (a CSV), output (a path), name and version."""

    def progress(self, job: str) -> Progress:
        """Raises NotFoundError where the job was forgotten, long after it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """One data set of a project."""

    created_s: float
    updated_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One version of a model."""

    version: int
    created_s: float
    description: str = ""
    job: str = ""  # that trains it; empty: it was there already
    token: str = ""  # of the request that made it: the same again makes no second
    bucket: str = ""  # of the request, and given back as it was
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is known of one project."""

    name: str
    created_s: float
    datasets: dict[str, DatasetInfo] = field(default_factory=dict)
    models: tuple[ModelInfo, ...] = ()


class Projects:
    """All projects of a plant; threads may share it."""

    def __init__(
        self,
        folder: Path,
        serving: Serving,
        hosting: Hosting,
        trainer: Trainer,
        buckets: Buckets,
        database: Database,
        *,
        signed: bool = False,  # people sign what becomes current, which these clients cannot
    ) -> None:
        self._folder = folder
        self._serving, self._hosting, self._signed = serving, hosting, signed
        self._trainer = trainer
        self._buckets = buckets
        self._database, self._lock = database, threading.Lock()

    def projects(self) -> list[Project]:
        """All, by name."""
        stored = sorted(path.parent.name for path in self._folder.glob("*/project.json"))
        served = [served.name for served in self._serving.models()]
        return [self.project(name) for name in sorted({*stored, *served})]

    def project(self, name: str) -> Project:
        """One of them; raises NotFoundError."""
        stored, served = self._stored(name), self._served(name)
        if stored is None and served is None:
            raise NotFoundError(f"project {name[:80]}: there is none of this name.")
        project = stored or Project(name=name, created_s=served.since_s if served else 0.0)
        if served is not None and served.version not in {model.version for model in project.models}:
            loaded = ModelInfo(version=served.version, created_s=served.since_s)
            project = replace(project, models=(*project.models, loaded))
        return project

    def create(self, name: str, now_s: float) -> Project:
        """Raises OptionError for a name that cannot be, ConflictError where it is taken."""
        if not _NAME.fullmatch(name):
            raise OptionError(f"ProjectName is {name[:80]!r}; letters, digits, _ and - only, 255 at most.")
        with self._alone():
            if self._stored(name) is not None or self._served(name) is not None:
                raise ConflictError(f"project {name}: is there already.")
            if len(list(self._folder.glob("*/project.json"))) >= MOST_PROJECTS:
                raise ConflictError(f"project {name}: there are {MOST_PROJECTS} already. Delete some.")
            project = Project(name=name, created_s=now_s)
            self._write(project)
        return project

    def delete(self, name: str) -> None:
        """Raises ConflictError while it has models, as they may be in use."""
        with self._alone():
            if self.project(name).models:
                raise ConflictError(f"project {name}: has models. Delete them first.")
            with _told(self._folder / name):
                shutil.rmtree(self._folder / name)

    def create_dataset(self, name: str, kind: str, source: tuple[str, str] | None, now_s: float) -> DatasetInfo:
        """Empty, or by a manifest at (bucket, key); raises ConflictError where there is one, DatasetError."""
        _check_kind(kind)
        content = "" if source is None else _text(self._buckets.path(*source))
        entries = parse(content)
        with self._changing(name) as project:
            if kind in project.datasets:
                raise ConflictError(f"dataset {kind}: {name} has one already. Delete it first, or update its entries.")
            return self._put(project, kind, entries, now_s, now_s)

    def update_dataset(self, name: str, kind: str, changes: str, now_s: float) -> None:
        """Add lines, or change those of the same picture; raises NotFoundError, DatasetError."""
        changed = parse(changes)
        with self._changing(name) as project:
            info = _dataset_of(project, kind)
            self._put(project, kind, merged(self._entries(name, kind), changed), info.created_s, now_s)

    def delete_dataset(self, name: str, kind: str) -> None:
        with self._changing(name) as project:
            _dataset_of(project, kind)
            self._write(replace(project, datasets={k: d for k, d in project.datasets.items() if k != kind}))
            self._manifest(name, kind).unlink(missing_ok=True)

    def dataset(self, name: str, kind: str) -> tuple[DatasetInfo, list[Entry]]:
        """What it is, and its lines; raises NotFoundError."""
        info = _dataset_of(self.project(name), kind)
        return info, self._entries(name, kind)

    def create_model(self, name: str, wanted: ModelInfo) -> ModelInfo:
        """Begin training by the project's data sets; `wanted.version` and `wanted.job` are set here.

        Raises:
            NotFoundError: there is no such project, or it has no data set for training.
            DatasetError: a picture is missing, or no line for training says normal.
        """
        with self._changing(name) as project:
            again = next((one for one in project.models if wanted.token and one.token == wanted.token), None)
            if again is not None:
                return again
            if len(project.models) >= MOST_MODELS:
                raise ConflictError(f"project {name}: has {MOST_MODELS} models. Delete some.")
            _dataset_of(project, "train")
            served = self._served(name)
            versions = [model.version for model in project.models] + ([served.version] if served else [])
            version = max(*versions, self._hosting.highest(name), 0) + 1
            data, output = self._folder / name / f"{version}.csv", self._file(name, version)
            csv_file.write(self._pictures(project), data)
            params = {"data": str(data), "output": str(output), "name": name, "version": str(version)}
            model = replace(wanted, version=version, job=self._trainer.start("train", params))
            self._write(replace(project, models=(*project.models, model)))
        return model

    def model(self, name: str, version: str) -> ModelInfo:
        """One version, or the latest; raises NotFoundError."""
        models = self.project(name).models
        found = [model for model in models if version == "latest" or str(model.version) == version]
        if not found:
            raise NotFoundError(f"model {name}/{version[:20]}: there is none.")
        return max(found, key=lambda model: model.version)

    def status(self, name: str, model: ModelInfo) -> tuple[str, str, Mapping[str, object]]:
        """(status in Lookout's words, message, figures)."""
        served = self._served(name)
        progress = self._progress(name, model) if model.job else Progress(state="done")
        if progress.state in ("waiting", "running"):
            return "TRAINING", progress.message, {}
        if progress.state != "done":
            return "TRAINING_FAILED", progress.message or progress.state, {}
        if served is not None and served.version == model.version:
            return _HOSTING.get(served.state, "TRAINED"), served.reason, progress.figures
        return "TRAINED", progress.message, progress.figures

    def _progress(self, name: str, model: ModelInfo) -> Progress:
        try:
            return self._trainer.progress(model.job)
        except NotFoundError:  # its end is long ago
            if not self._file(name, model.version).is_file():
                return Progress(state="failed", message="the job that was to train it left no model")
            known = self._hosting.known(name, model.version)
            return Progress(state="done", figures=known.figures if known else {})

    def delete_model(self, name: str, version: str) -> None:
        """Raises ConflictError while it is hosted, current or trained."""
        model = self.model(name, version)
        status, _, _ = self.status(name, model)
        if status in ("TRAINING", "HOSTED", "STARTING_HOSTING"):
            raise ConflictError(f"model {name}/{model.version}: is {status}. Stop it first.")
        if self._is_current(name, model):
            raise ConflictError(f"model {name}/{model.version}: is the plant's current version. Stop it first.")
        served = self._served(name)
        if served is not None and served.version == model.version:
            self._serving.forget(name)
        if self._stored(name) is None:
            return
        with self._changing(name) as project:
            self._write(replace(project, models=tuple(m for m in project.models if m.version != model.version)))
            for suffix in ("csv", "sight"):
                (self._folder / name / f"{model.version}.{suffix}").unlink(missing_ok=True)

    def start(self, name: str, version: str, by: str) -> None:
        """Make this version the plant's current one, and load it in place of the one that is loaded.

        Raises:
            ConflictError: it is not trained, or cannot be current. BundleError: it cannot be loaded.
            AccessError: it is not current, and people sign what becomes so.
        """
        model = self.model(name, version)
        status, message, _ = self.status(name, model)
        if status in ("TRAINING", "TRAINING_FAILED"):
            raise ConflictError(f"model {name}/{model.version}: is {status}. {message}".rstrip())
        served = self._served(name)
        if served is not None and served.version == model.version and not self._hosting.hosts(name):
            self._serving.start(name)  # a file that the server was started with, which the plant does not know
            return
        if not self._is_current(name, model):
            self._refuse_unsigned(f"model {name}/{model.version}: is not the current version")
            if self._file(name, model.version).is_file():
                self._hosting.bring(name, model.version, self._file(name, model.version), by)
        self._hosting.host(name, model.version, Change(by=by, reason="StartModel of Lookout for Vision"))

    def stop(self, name: str, version: str, by: str) -> None:
        """Let go of this version, which is not current from then on.

        Raises:
            ConflictError: another version is loaded, or none. AccessError: people sign what is current.
        """
        model = self.model(name, version)
        if not self._is_current(name, model):
            self.hosted(name, version)
            self._serving.stop(name)
            return
        self._refuse_unsigned(f"model {name}/{model.version}: is the current version")
        with self._changing(name) as project:  # known from here on also where another way brought it
            if _NAME.fullmatch(name) and model.version not in {one.version for one in project.models}:
                self._write(replace(project, models=(*project.models, model)))
        self._hosting.end(name, model.version, Change(by=by, reason="StopModel of Lookout for Vision"))

    def _is_current(self, name: str, model: ModelInfo) -> bool:
        current = self._hosting.known(name)
        return current is not None and current.version == model.version

    def _refuse_unsigned(self, what: str) -> None:
        if self._signed:
            raise AccessError(f"{what}, and which one is current is signed by people here. Promote it in the console.")

    def hosted(self, name: str, version: str) -> Served:
        """The loaded model, if it is this version; raises NotFoundError, ConflictError."""
        served = self._served(name)
        if served is None or (version != "latest" and str(served.version) != version):
            model = self.model(name, version)
            raise ConflictError(f"model {name}/{model.version}: is not hosted. Start it first.")
        if served.state is not State.READY:
            raise ConflictError(f"model {name}/{served.version}: is {served.state}. Start it first.")
        return served

    def _served(self, name: str) -> Served | None:
        return next((served for served in self._serving.models() if served.name == name), None)

    def _stored(self, name: str) -> Project | None:
        if not _NAME.fullmatch(name):  # it may be a path
            return None
        path = self._folder / name / "project.json"
        if not path.is_file():
            return None
        with _told(path):
            document = json.loads(path.read_text("utf-8"))
            datasets = {kind: DatasetInfo(**info) for kind, info in document["datasets"].items()}
            models = tuple(ModelInfo(**info) for info in document["models"])
            return Project(name=name, created_s=document["created_s"], datasets=datasets, models=models)

    def _write(self, project: Project) -> None:
        folder = self._folder / project.name
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / "project.json", json.dumps(asdict(project), indent=1).encode())

    def _alone(self) -> AbstractContextManager[None]:
        """Servers of one database share the folder."""
        return alone(self._database, "lookout", self._lock)

    @contextmanager
    def _changing(self, name: str) -> Iterator[Project]:
        """A project as it is stored, and nobody else's until the end; one of a loaded model begins to be stored."""
        with self._alone():
            stored = self._stored(name)
            yield stored or replace(self.project(name), models=())

    def _put(
        self, project: Project, kind: str, entries: list[Entry], created_s: float, updated_s: float
    ) -> DatasetInfo:
        info = DatasetInfo(created_s=created_s, updated_s=updated_s)
        folder = self._folder / project.name
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_bytes(self._manifest(project.name, kind), "".join(f"{entry.text}\n" for entry in entries).encode())
        self._write(replace(project, datasets=project.datasets | {kind: info}))
        return info

    def _entries(self, name: str, kind: str) -> list[Entry]:
        return parse(_text(self._manifest(name, kind)))

    def _file(self, name: str, version: int) -> Path:
        return self._folder / name / f"{version}.sight"

    def _manifest(self, name: str, kind: str) -> Path:
        return self._folder / name / f"{kind}.manifest"

    def _pictures(self, project: Project) -> Dataset:
        samples = tuple(
            Sample(path=self._buckets.file(entry.source), label=entry.label, split=kind)
            for kind in KINDS
            if kind in project.datasets
            for entry in self._entries(project.name, kind)
            if entry.label is not None
        )
        dataset = Dataset(name=project.name, root=self._folder / project.name, samples=samples)
        if not dataset.train_good:
            raise DatasetError(f"dataset train: no picture of {project.name} is labelled normal.")
        return dataset


def _dataset_of(project: Project, kind: str) -> DatasetInfo:
    _check_kind(kind)
    if kind not in project.datasets:
        raise NotFoundError(f"dataset {kind}: {project.name} has none. Create it first.")
    return project.datasets[kind]


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise OptionError(f"DatasetType is {kind[:40]!r}; it must be train or test.")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_MANIFEST_BYTES + 1)
        if len(content) > MOST_MANIFEST_BYTES:
            raise DatasetError(f"{path.name}: is larger than {MOST_MANIFEST_BYTES >> 20} MiB; divide it.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path.name}: cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name}: is not UTF-8 text.") from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be read or written ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is damaged ({error}). Restore it from a backup.") from error
