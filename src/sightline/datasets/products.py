"""Several data sets, one per product."""

from collections.abc import Sequence
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.datasets.pictures import subfolders
from sightline.errors import DatasetError, OptionError


def open_products(places: Sequence[str]) -> dict[str, Dataset]:
    """The data set of each product by its name.

    Args:
        places: NAME=PATH, or PATH, whose product is called like the folder or the file without suffix. One PATH alone
            is a folder whose subfolders are the products' data sets.

    Raises:
        OptionError: a name is missing or given twice. DatasetError: as `open_dataset`.
    """
    named = [_named(place) for place in places]
    if len(places) == 1 and not _has_name(places[0]):
        named = list(subfolders(Path(places[0])).items())
        if len(named) < 2:
            raise DatasetError(
                f"{places[0]}: does not hold the data sets of several products; "
                "give a folder with one subfolder for each, or several DATA."
            )
    names = [name for name, _ in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"two products are called {twice[0]!r}; write NAME=DATA to tell them apart.")
    return {name: open_dataset(path) for name, path in named}


def _has_name(place: str) -> bool:
    return "=" in place and not Path(place).exists()


def _named(place: str) -> tuple[str, Path]:
    if not _has_name(place):
        path = Path(place)
        return (path.stem if path.is_file() else path.resolve().name), path
    name, _, path_text = place.partition("=")
    if not name.strip() or not path_text:
        raise OptionError(f"{place!r} is not a product; write NAME=DATA, such as tile=pictures/tile.")
    return name.strip(), Path(path_text)
