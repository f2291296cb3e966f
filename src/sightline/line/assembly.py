"""From a recipe to a station at work, with everything around it."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from sightline.devices.controllers import PlcConfig, open_plc
from sightline.devices.opening import CameraConfig
from sightline.devices.reconnection import ReconnectingPlc
from sightline.errors import OptionError, StoreError
from sightline.line import plan
from sightline.line.board import Board
from sightline.line.bulletin import Bulletin
from sightline.line.cameras import Cameras
from sightline.line.fitness import FitnessCheck
from sightline.line.fusion import Fused, FusionRule, fuse
from sightline.line.http_sink import HttpPictures, HttpSink, PlantClient
from sightline.line.images import ImageWriter
from sightline.line.judge import JudgeState
from sightline.line.metrics import Metrics
from sightline.line.origin import Origins
from sightline.line.outbox import Outbox
from sightline.line.picture_outbox import PictureOutbox
from sightline.line.pictures import PictureFolder
from sightline.line.recipe import Doubt, Missed, Pages, PlantServer, Recipe
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.status import StatusServer
from sightline.line.survey import Stores, Survey
from sightline.line.view import Seen, View
from sightline.records import Inspection

LOG = logging.getLogger("sightline.line")
RECORDS, PICTURES, OUTBOX = "records.db", "pictures", "outbox.db"  # in the folder of the records, as the next two
ORIGIN, HOLD = "origin.json", "hold.json"
_POLL_S = 0.02  # between two looks whether a model is loaded
_PLC = "PLC"


class Line:
    """A station and what belongs to it, opened; `run` once, then `close`."""

    def __init__(self, recipe: Recipe, station: Station, pages: tuple[StatusServer, ...], opened: ExitStack) -> None:
        """`opened` closes everything, the station first."""
        self.recipe, self.station = recipe, station
        self.urls = tuple(page.url for page in pages)
        self._opened = opened

    def run(self, alive: Callable[[], None] | None = None) -> None:
        """Work until `station.stop`, then finish the parts in hand.

        Args:
            alive: called in every cycle.

        Raises:
            OptionError: a model or a picture that the recipe names cannot be used.
        """
        self.station.run(self.recipe.number, alive=alive)

    def close(self) -> None:
        """Release everything; may be called more than once."""
        self._opened.close()


def open_station(path: Path, *, name: str, records: Path | None = None) -> Line:
    """Open all that a recipe's station needs but its cameras and models, which `Line.run` opens.

    Args:
        path: of the recipe; those in the same folder can be asked for by the PLC, by their numbers.
        name: of the station, in records and on its page.
        records: folder for records and pictures; None: the recipe's.

    Raises:
        OptionError: the recipe cannot work, or a port is taken. StoreError: the records cannot be written.
    """
    recipe = plan.read(path)
    plan.find(path, recipe.number)  # none beside it has the same
    folder = _made(records or recipe.store.folder)
    with ExitStack() as opened:
        stores = _open_stores(folder, recipe, name, opened)
        cameras = Cameras()
        opened.callback(cameras.close)
        metrics = Metrics()
        config = StationConfig(
            name=name,
            handshake=plan.handshake_of(recipe),
            track=plan.way_of(recipe),
            by_time=recipe.conveyor is not None and recipe.conveyor.counts_per_mm is None,
            cycle_s=plan.CYCLE_S,
            longest_cycle_s=plan.longest_cycle_s(recipe),
            hold_file=folder / HOLD,
        )
        opening = partial(open_plc, _PLC, cast(PlcConfig, recipe.plc))
        plc = ReconnectingPlc(_PLC, opening, seed=0)
        station = Station(config, plc, _Loader(path, recipe, cameras).load, stores.spool, stores.images, metrics)
        opened.callback(station.close)
        origins = station.board.origins = Origins(folder / ORIGIN)
        pages = _open_pages(recipe.pages, StationShown(board=station.board, counted=metrics), origins, opened)
        survey = Survey(station, stores)
        opened.callback(survey.close)
        if recipe.plant is not None:
            bulletin = Bulletin(_client(recipe.plant), name, partial(bulletin_of, station.board, stores.outbox))
            opened.callback(bulletin.close)
        return Line(recipe, station, pages, opened.pop_all())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Choose another folder.") from error
    return folder


def _open_stores(folder: Path, recipe: Recipe, name: str, opened: ExitStack) -> Stores:
    spool = Spool(folder / RECORDS, station=name)
    opened.callback(spool.close)
    plant = recipe.plant
    pictures = PictureFolder(folder / PICTURES, delivered=plant is not None and plant.pictures)
    opened.callback(pictures.close)
    images = ImageWriter(pictures, recipe.store.images)
    opened.callback(images.close)
    outbox, picture_outbox = (None, None) if plant is None else open_outboxes(folder, plant, pictures, opened)
    return Stores(
        folder=folder,
        spool=spool,
        images=images,
        outbox=outbox,
        pictures=picture_outbox,
        record_days=recipe.store.record_days,
    )


def open_outboxes(
    folder: Path, plant: PlantServer, pictures: PictureFolder, opened: ExitStack
) -> tuple[Outbox, PictureOutbox | None]:
    """Begin to deliver the records of a station's folder, and its pictures where the plant wants them.

    Raises:
        OptionError: the plant's address or a file cannot be used. StoreError: the folder cannot.
    """
    client = _client(plant)
    outbox = Outbox(folder / RECORDS, folder / OUTBOX, HttpSink(client))
    opened.callback(outbox.close)
    if not plant.pictures:
        return outbox, None
    picture_outbox = PictureOutbox(pictures, HttpPictures(client), outbox.has_delivered)
    opened.callback(picture_outbox.close)
    return outbox, picture_outbox


def bulletin_of(board: Board, outbox: Outbox | None) -> Mapping[str, Any]:
    """What the plant server is told of a station; without the backlog, where nobody can tell it."""
    told = board.status()
    told.pop("backlog")  # which is for the station's own page
    if outbox is not None:
        with suppress(StoreError):  # the rest is worth all the more then; the devices say what is wrong
            told["backlog"] = outbox.status.backlog
    return told


def _client(plant: PlantServer) -> PlantClient:
    return PlantClient(plant.url, token_file=plant.token_file, ca_file=plant.ca_file)


def _open_pages(pages: Pages, shown: "StationShown", origins: Origins, opened: ExitStack) -> tuple[StatusServer, ...]:
    """The page and the metrics are at both ports, so that each may be opened to others or not."""
    ports = dict.fromkeys(port for port in (pages.status_port, pages.metrics_port) if port is not None)
    servers = []
    for port in ports:
        server = StatusServer(shown, pages.address, port, origins=origins)
        opened.callback(server.close)
        servers.append(server)
    return tuple(servers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StationShown:
    """What a station's pages can be asked for, as `status.Shown`."""

    board: Board
    counted: Metrics

    def status(self) -> Mapping[str, Any]:
        return self.board.status()

    def overlay(self, part: int) -> bytes | None:
        return self.board.overlay(part)

    def metrics(self) -> bytes:
        return self.counted.page()


@dataclass(frozen=True, slots=True, eq=False)
class _Loader:
    """Puts recipes to work, by their number."""

    path: Path  # of the recipe that the station began with
    first: Recipe
    cameras: Cameras

    def load(self, number: int, tell: Callable[[Seen], None]) -> Setup:
        """As `setup.Load`."""
        recipe = self._recipe(number)
        prepared = []
        for view in recipe.views:
            reference = plan.reference_of_view(view)
            prepared.append((plan.view_plan(recipe, view, reference), view.fitness, reference))
        lent = self.cameras.lend({view.name: cast(CameraConfig, view.camera) for view in recipe.views})
        checks = [FitnessCheck(limits, known, lent[one.name].repeats) for one, limits, known in prepared]
        views = tuple(View(one, lent[one.name], check, tell) for (one, *_), check in zip(prepared, checks, strict=True))
        _await(views)
        return Setup(
            product=recipe.product,
            recipe=number,
            views=views,
            fuse=partial(_fused, {view.name: view.weight for view in recipe.views}, recipe.fusion),
            window_s=plan.window_of(recipe),
            review_passes=recipe.review is Doubt.PASS,
            audit_share=recipe.audit_share,
            challenge_serials=frozenset(recipe.challenge.serials),
            stop_on_missed_challenge=recipe.challenge.when_missed is Missed.STOP,
            begin=partial(self.cameras.use, tuple(lent.values())),
        )

    def _recipe(self, number: int) -> Recipe:
        """Read anew, as it may have been corrected; the station itself is as at its start."""
        path = plan.find(self.path, number)
        recipe = plan.read(path)
        for what in ("plc", "store", "plant", "pages", "review", "changeover", "gate", "conveyor"):
            if what in ("gate", "conveyor") and plan.way_of(recipe) == plan.way_of(self.first):
                continue  # they only give the window, if the way is the same
            if getattr(recipe, what) != getattr(self.first, what):
                raise OptionError(f"{path}: its {what} is not that of {self.path.name}; restart the station with it.")
        return recipe


def _await(views: tuple[View, ...]) -> None:
    """Until every model is loaded and warm; raises OptionError, and closes the views, where one cannot be."""
    while any(view.judge.state in (JudgeState.LOADING, JudgeState.RESTARTING) for view in views):
        time.sleep(_POLL_S)
    held = [view for view in views if view.judge.state is JudgeState.HELD]
    if not held:
        return
    for view in views:
        view.close()
    raise OptionError(f"view {held[0].name}: {held[0].judge.reason}")


def _fused(weights: Mapping[str, float], rule: FusionRule, inspections: Mapping[str, Inspection]) -> Fused:
    return fuse(weights, inspections, rule)
