"""Label Studio's tasks: their pictures, their annotations kept for training."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sightline.datasets.pictures import is_picture
from sightline.errors import BusyError, DatasetError, DeliveryError, OptionError
from sightline.files import write_bytes
from sightline.records import Inspection
from sightline.service.aside import Aside
from sightline.service.job_task import inside
from sightline.service.jobs import Jobs
from sightline.service.outbound import Reach, send
from sightline.service.protocols.label_config import Interface, read_interface
from sightline.store import jobs as queue
from sightline.store.database import Database

MOST_PICTURE_BYTES = 30_000_000
MOST_KEPT = 100_000  # annotated tasks of one project
_UPLOADS, _LOCAL = "/data/upload/", "/data/local-files/"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudio:
    """What the backend works with."""

    judge: Callable[[str, bytes], Inspection]  # model's name, picture; raises NotFoundError, FrameError, BusyError
    classes: Callable[[str], Sequence[str]]  # model's name -> labels in the order of its segments
    database: Database
    jobs: Jobs
    reach: Reach
    uploads: Path | None = None  # Label Studio's media/upload; None: uploaded pictures cannot be read
    files: Path | None = None  # its LOCAL_FILES_DOCUMENT_ROOT; None: likewise
    train_every: int = 10  # annotations, after which the model is trained anew; 0: only when somebody asks
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    # 200 pictures that are fetched and judged take minutes
    aside: Aside = field(default_factory=lambda: Aside(threads=4), repr=False)


def address_of(task: object, interface: Interface) -> str:
    """Where a task's picture lies; raises DatasetError."""
    data = task.get("data") if isinstance(task, Mapping) else None
    address = data.get(interface.image) if isinstance(data, Mapping) else None
    if not isinstance(address, str):
        raise DatasetError(f"task: its data has no {interface.image!r:.60}; check the labelling interface.")
    return address


def picture(studio: LabelStudio, address: str) -> bytes:
    """The bytes of a task's picture; raises DatasetError, DeliveryError or OptionError."""
    if address.startswith(_UPLOADS):
        return _local(studio.uploads, unquote(address.removeprefix(_UPLOADS)), "uploads")
    if address.startswith(_LOCAL):
        return _local(studio.files, parse_qs(urlsplit(address).query).get("d", [""])[0], "files")
    answer = send(studio.reach, "GET", address)
    if answer.status != 200:
        raise DeliveryError(f"picture: its server answered {answer.status}.")
    return answer.body


def _local(folder: Path | None, name: str, setting: str) -> bytes:
    if folder is None:
        raise DatasetError(
            f"picture: lies with Label Studio; name its folder in the settings (label studio {setting})."
        )
    path = inside(folder, name, "picture")
    try:
        if path.stat().st_size > MOST_PICTURE_BYTES:
            raise DatasetError(f"picture {name!r:.100}: is larger than {MOST_PICTURE_BYTES} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"picture {name!r:.100}: cannot be read ({error.strerror}).") from error


def keep(studio: LabelStudio, folder: Path, given: Mapping[str, Any]) -> int:
    """Write an annotated task as Label Studio exports one; returns how many there are of its project."""
    task, annotation = given.get("task"), given.get("annotation")
    number = number_of(task, "task")
    if not isinstance(annotation, Mapping) or not isinstance(task, Mapping):
        raise OptionError("annotation: is missing; send what Label Studio sends.")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    address = address_of(task, _interface(given))
    suffix = Path(urlsplit(address).path).suffix.lower()
    name = f"images/{number}{suffix if is_picture(Path(f'a{suffix}')) else '.png'}"
    kept = sum(1 for _ in folder.glob("*.json"))
    if kept >= MOST_KEPT:
        raise BusyError(f"Label Studio: {MOST_KEPT} tasks of this project are kept already; make a data set of them.")
    write_bytes(folder / name, picture(studio, address))
    results = annotation.get("result")
    document = [{"data": {"image": name}, "annotations": [{"result": results if isinstance(results, list) else []}]}]
    is_new = not (folder / f"{number}.json").exists()
    write_bytes(folder / f"{number}.json", json.dumps(document).encode())
    return kept + is_new


def forget(folder: Path, given: Mapping[str, Any]) -> None:
    number = number_of(given.get("task"), "task")
    for path in (folder / f"{number}.json", *(folder / "images").glob(f"{number}.*")):
        path.unlink(missing_ok=True)


def start_training(studio: LabelStudio, model: str, given: Mapping[str, Any], folder: Path, author: str) -> str | None:
    """Queue a training; None: one of this project is under way, and will do."""
    data = str(folder.relative_to(studio.jobs.site.data))
    with studio.database.reading() as session:
        under_way = [*queue.jobs(session, state="waiting", kind="train", limit=200)]
    if any(job.params.get("data") == data for job in under_way):
        return None
    if not folder.is_dir():
        raise DatasetError("Label Studio: no annotation of this project has come yet; submit some first.")
    params = {"data": data, "name": model, "method": _interface(given).method}
    return studio.jobs.submit("train", params, author=author, now_s=time.time())


def _interface(given: Mapping[str, Any]) -> Interface:
    project = given.get("project")
    return read_interface(str(project.get("label_config", "")) if isinstance(project, Mapping) else "")


def number_of(given: object, what: str) -> int:
    """The id of a project or task; raises OptionError. Only a number becomes part of a path."""
    number = given.get("id") if isinstance(given, Mapping) else given
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise OptionError(f"{what}: has no number; send what Label Studio sends.")
    return number
