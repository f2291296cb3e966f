"""Pictures of the plant as files of a job: data sets by their version."""

from contextlib import closing

from sightline.datasets.dataset import Dataset, Sample
from sightline.errors import DatasetError, OptionError
from sightline.service.job_task import SCRATCH, Task
from sightline.store import datasets
from sightline.store.database import Database


def one_source(data: str, dataset: str) -> None:
    """Refuse options that name no pictures, or two sources of them."""
    if bool(data) == bool(dataset):
        raise OptionError("give one of data, a folder below the server's data, and dataset, NAME/VERSION.")


def dataset_of(task: Task, wanted: str) -> Dataset:
    """The labelled pictures of a data set, each as a file by its digest in the job's folder.

    Args:
        wanted: NAME/VERSION, or NAME for the newest version.

    Raises:
        OptionError: it is neither. NotFoundError: there is no such version, or a picture is gone.
        DatasetError: nothing in it is labelled.
    """
    name, slash, version = wanted.partition("/")
    if slash and not (version.isdecimal() and len(version) < 10):
        raise OptionError(f"dataset {wanted!r:.100}: give NAME, or NAME/VERSION.")
    folder = task.folder / SCRATCH
    folder.mkdir(exist_ok=True)
    with closing(Database(task.site.database)) as database:
        with database.reading() as session:
            known = datasets.one(session, name, int(version) if version else None)
            items = [item for item in datasets.every_item(session, name, known.version) if item.label]
        if not items:
            raise DatasetError(f"data set {name} {known.version}: none of its pictures is labelled; label some.")
        pictures = task.site.kept_pictures(database)
        samples = []
        for done, item in enumerate(items, 1):
            path = folder / f"{item.picture}.{item.name.rpartition('.')[2].lower() or 'png'}"
            if not path.exists():  # else an attempt before this one has fetched it
                pictures.write_to(item.picture, path)
            samples.append(Sample(path=path, label=item.label, split=item.split or "train"))
            task.progress("fetching", done, len(items))
    return Dataset(name=f"{name} {known.version}", root=folder, samples=tuple(samples), layout="stored")
