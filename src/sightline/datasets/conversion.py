"""A data set written anew in another format: its pictures, their labels and their annotations."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from sightline.datasets.annotations import LabelledPicture, LabelledSet
from sightline.datasets.fitting import fitted, lines
from sightline.datasets.formats.format import Export, Format, Placed, size_of
from sightline.datasets.formats.table import FORMATS
from sightline.datasets.labelled import open_labelled
from sightline.errors import DatasetError, OptionError
from sightline.files import building


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How the target is made."""

    format: str  # a name in the table of formats
    source_format: str | None = None  # None: told by the content
    link: bool = False  # symbolic links instead of copies of the pictures
    prefix: str = ""  # what comes before a picture's place where the format has URIs, such as gs://bucket/part
    lossy: bool = False  # convert although something is lost

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise OptionError(f'there is no format "{self.format}"; use one of {", ".join(FORMATS)}.')
        if self.prefix and not FORMATS[self.format].has_uris:
            names = ", ".join(name for name, form in FORMATS.items() if form.has_uris)
            raise OptionError(f"a prefix is for formats that name pictures by URI: {names}; leave it out.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    source: LabelledSet
    written: LabelledSet  # as `open_labelled` of the target gives it, but for the paths
    losses: tuple[str, ...]  # one line for each kind


def convert(source: Path, target: Path, conversion: Conversion, *, progress: bool | None = None) -> Converted:
    """Write the data set at `source` into the folder `target`, whole or not at all.

    Args:
        target: a new or an empty folder.
        progress: show a bar on standard error; None: if that is a terminal.

    Raises:
        DatasetError: the source cannot be read, the target is not empty, or the format cannot carry all of it and
            `lossy` was not given.
        StoreError: the target cannot be written.
    """
    return write_labelled(open_labelled(source, conversion.source_format), target, conversion, progress=progress)


def write_labelled(
    dataset: LabelledSet, target: Path, conversion: Conversion, *, progress: bool | None = None
) -> Converted:
    """`convert` of a data set that is open already."""
    form = FORMATS[conversion.format]
    written, losses = fitted(dataset, form)
    if losses and not conversion.lossy:
        raise DatasetError(
            f"{dataset.root}: {form.name} cannot carry all of it: {'; '.join(lines(losses))}. "
            "Convert it all the same with --lossy."
        )
    hidden = None if progress is None else not progress
    with building(target) as folder:
        bar = tqdm(_placed(written, form), desc="copying", unit=" pictures", disable=hidden)
        placed = tuple(_put(one, folder, conversion.link) for one in bar)
        form.write(Export(folder=folder, placed=placed, classes=written.classes, prefix=conversion.prefix))
    return Converted(source=dataset, written=written, losses=tuple(lines(losses)))


def _put(placed: Placed, folder: Path, link: bool) -> Placed:
    """Copy or link the picture, and look at its size."""
    there, picture = folder / placed.place, placed.picture
    there.parent.mkdir(parents=True, exist_ok=True)
    if link:
        there.symlink_to(picture.path.resolve())
    else:
        shutil.copyfile(picture.path, there)
    return replace(placed, picture=replace(picture, size=picture.size or size_of(picture.path)))


def _placed(dataset: LabelledSet, form: Format) -> list[Placed]:
    """A place for each picture; no two differ only in suffix or case, as annotations are found by the rest."""
    plain = [form.place(picture, picture.path.name) for picture in dataset.pictures]
    often = Counter(map(_key, plain))
    used: set[str] = set()
    placed = []
    for picture, wished in zip(dataset.pictures, plain, strict=True):
        others = (form.place(picture, name) for name in _other_names(picture, dataset.root))
        free = (place for place in others if _key(place) not in used and not often[_key(place)])
        place = wished if often[_key(wished)] == 1 else next(free)
        _check_text(picture, place)
        used.add(_key(place))
        placed.append(Placed(picture=picture, place=place))
    return placed


def _check_text(picture: LabelledPicture, place: str) -> None:
    try:
        " ".join([place, *picture.labels, *(annotation.label for annotation in picture.annotations)]).encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{picture.path}: not written, as its name or a label of it is not valid text; rename it."
        ) from error


def _key(place: str) -> str:
    return str(PurePosixPath(place).with_suffix("")).casefold()


def _other_names(picture: LabelledPicture, root: Path) -> Iterator[str]:
    """Names with the folders in front, then with numbers behind."""
    path = picture.path
    parts = path.relative_to(root).parts if path.is_relative_to(root) else path.parts[-2:]
    whole = PurePosixPath("_".join(parts))
    yield whole.name
    for number in range(2, 1 << 62):
        yield f"{whole.stem}-{number}{whole.suffix}"
