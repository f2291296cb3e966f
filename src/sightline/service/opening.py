"""A server's resources, opened in order and closed in the other."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from sightline.errors import OptionError, StoreError
from sightline.service.plant import Plant
from sightline.service.settings import Settings
from sightline.store.database import Database


@contextmanager
def open_plant(settings: Settings, models: Mapping[str, Path]) -> Iterator[Plant]:
    """
    Args:
        models: files to be served at once, by name.

    Raises:
        OptionError: a setting cannot work. StoreAway: the database does not answer. StoreError: no place to write.
    """
    for name, path in models.items():
        if not path.is_file():
            raise OptionError(f"model {name}: {path} is no file; correct the path.")
    with open_database(settings) as database:
        yield Plant(database=database)


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database alone, for what works beside a server."""
    folder = settings.store.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Give another folder in [store].") from error
    with closing(Database(settings.store.url)) as database:
        database.upgrade()
        yield database
