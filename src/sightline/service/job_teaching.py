"""The job that teaches a finished model a new class of defect from a few pictures."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.bundle import load
from sightline.errors import InspectionError, OptionError
from sightline.service.job_task import SCRATCH, Kind, Task, model_file
from sightline.store.database import Database
from sightline.store.models import Upload, add
from sightline.store.shelf import check_digest
from sightline.teaching import FEWEST_EXAMPLES, teach

MOST_EXAMPLES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachOptions:
    """As `sightline teach` takes them, with pictures that the plant has."""

    model: str  # NAME of the current version, or NAME/VERSION
    label: str  # of the new class
    pictures: list[str]  # digests

    def __post_init__(self) -> None:
        if not FEWEST_EXAMPLES <= len(self.pictures) <= MOST_EXAMPLES:
            raise OptionError(f"pictures: give {FEWEST_EXAMPLES} to {MOST_EXAMPLES} examples, better 5 to 10.")
        for digest in self.pictures:
            check_digest(digest)


def _teach(options: TeachOptions, task: Task) -> Mapping[str, Any]:
    name = options.model.partition("/")[0]
    bundle = load(model_file(task.site, options.model))
    with (
        closing(Database(task.site.database)) as database,
        tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-", dir=task.folder) as folder,
    ):
        pictures = task.site.kept_pictures(database)
        paths = [Path(folder, f"picture {number}") for number in range(1, len(options.pictures) + 1)]
        for path, digest in zip(paths, options.pictures, strict=True):
            path.write_bytes(pictures.read(digest))
        try:
            taught = teach(bundle, options.label, paths, task.folder / f"{name}.sight", progress=task.progress)
        except InspectionError as error:  # where they lay is nobody's business
            raise OptionError(_plain(str(error), folder)) from error
        warnings = [_plain(warning, folder) for warning in taught.warnings]
        upload = Upload(name=name, author=task.author, note=f"{options.model} taught {taught.rule.name!r}")
        known = add(database, task.site.model_files(), taught.bundle.path, upload, now_s=time.time())
    return {
        "file": taught.bundle.path.name,
        "model": f"{known.name}/{known.version}",
        "model_id": taught.bundle.model_id,
        "class": taught.rule.name,
        "examples": taught.rule.examples,
        "similarity": taught.rule.similarity,
        "classes": list(taught.bundle.manifest.labels),
        "warnings": warnings,
    }


def _plain(text: str, folder: str) -> str:
    return text.replace(f"{folder}/", "")


TEACH = Kind(name="teach", told="teach a model a new class from a few pictures", options=TeachOptions, run=_teach)
