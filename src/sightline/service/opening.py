"""A server's resources, opened in order and closed in the other."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sightline.errors import OptionError, StoreError
from sightline.service.alerts import Watch
from sightline.service.apart import Apart, Runner, here
from sightline.service.candidates import Candidates
from sightline.service.disks import disks_of
from sightline.service.hosting import Hosting
from sightline.service.job_task import Site
from sightline.service.jobs import Jobs
from sightline.service.looks import Looks
from sightline.service.outbound import Reach, networks_of
from sightline.service.plant import Plant
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.label_tasks import LabelStudio
from sightline.service.protocols.lookout_projects import Projects
from sightline.service.serving import Serving
from sightline.service.settings import Settings
from sightline.service.sharing import check_shared
from sightline.service.thumbnails import Thumbnails
from sightline.service.tiles import Tiles
from sightline.service.training import JobTrainer
from sightline.service.upkeep import Upkeep
from sightline.service.webhooks import Sender
from sightline.store.alerts import add_defaults
from sightline.store.database import Database
from sightline.store.scratch import clear


@contextmanager
def open_plant(settings: Settings, models: Mapping[str, Path]) -> Iterator[Plant]:
    """
    Args:
        models: files to be served at once, by name, beside those that are current in the database.

    Raises:
        OptionError: a setting cannot work. StoreAway: the database does not answer. StoreError: no place to write.
        BundleError: one of the models cannot be used.
    """
    for name, path in models.items():
        if not path.is_file():
            raise OptionError(f"model {name}: {path} is no file; correct the path.")
    with ExitStack() as opened:
        database = opened.enter_context(open_database(settings))
        site = _site(settings)
        check_shared(database, {settings.store.folder, settings.jobs.data or settings.store.folder})
        pictures, files = site.kept_pictures(database), site.model_files()
        apart = opened.enter_context(Apart()) if settings.serving.apart else None
        run: Runner = here if apart is None else apart.run
        serving = opened.enter_context(_serving(settings, apart))
        for name, path in models.items():
            serving.load(name, path)
        jobs = opened.enter_context(closing(Jobs(database, site, workers=settings.jobs.workers).start()))
        sender = opened.enter_context(closing(Sender(database, _reach(settings)).start()))
        disks = disks_of(settings)
        watch = opened.enter_context(closing(Watch(database, disks).start()))
        opened.enter_context(closing(Upkeep(database, jobs).start()))
        clear(scratch := settings.store.folder / "scratch", time.time())
        hosting = opened.enter_context(closing(Hosting(database, files, serving).start()))
        yield Plant(
            database=database,
            quality=settings.quality.shift,
            scratch=scratch,
            disks=disks,
            pictures=pictures,
            thumbnails=Thumbnails(pictures, run=run),
            tiles=Tiles(pictures, run=run),
            looks=Looks(pictures, run=run),
            models=files,
            serving=serving,
            hosting=hosting,
            projects=_projects(settings, database, hosting, serving, jobs),
            candidates=Candidates(files, max_megapixels=settings.serving.largest_megapixels, run=run),
            jobs=jobs,
            sender=sender,
            watch=watch,
            label_studio=_label_studio(settings, database, serving, jobs),
        )


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database alone, for what works beside a server."""
    _made(settings.store.folder)
    with closing(Database(settings.store.url)) as database:
        database.upgrade()
        with database.writing() as session:
            add_defaults(session, time.time())
        yield database


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made ({error.strerror}). Give another folder in the settings."
        ) from error
    return folder


def _site(settings: Settings) -> Site:
    store = settings.store
    return Site(
        database=store.url,
        data=_made(settings.jobs.data or store.folder / "data"),
        results=_made(store.folder / "jobs"),
        models=store.model_shelf,
        pictures=store.picture_shelves,
        retention=store.retention,
        max_megapixels=settings.serving.largest_megapixels,
    )


def _serving(settings: Settings, apart: Apart | None) -> Serving:
    asked = settings.serving
    return Serving(
        workers=asked.workers or None,
        queue=asked.queue,
        timeout_s=asked.timeout_s,
        max_megapixels=asked.largest_megapixels,
        apart=apart,
    )


def _reach(settings: Settings) -> Reach:
    return Reach(networks=networks_of(settings.network.networks))


def _projects(settings: Settings, database: Database, hosting: Hosting, serving: Serving, jobs: Jobs) -> Projects:
    folders = dict(bucket.partition("=")[::2] for bucket in settings.serving.buckets)
    buckets = Buckets(folders={name: Path(folder) for name, folder in folders.items()})
    folder, trainer = _made(jobs.site.data / "lookout"), JobTrainer(database, jobs)
    return Projects(folder, serving, hosting, trainer, buckets, database, signed=settings.access.signature)


def _label_studio(settings: Settings, database: Database, serving: Serving, jobs: Jobs) -> LabelStudio:
    asked = settings.label_studio
    return LabelStudio(
        judge=serving.judge,
        classes=lambda name: serving.manifest(name).labels,
        database=database,
        jobs=jobs,
        reach=_reach(settings),
        uploads=asked.uploads,
        files=asked.files,
        train_every=asked.train_every,
    )
