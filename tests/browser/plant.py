"""A plant's folder with people, a model and three days of parts, as a server that has run for a while has them."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.imaging.decode import read_frame
from sightline.imaging.overlay import heat_picture
from sightline.inspector import load
from sightline.line.events import Signal
from sightline.line.outcome import FIRST, Ids, Kind, Outcome, ViewOutcome, content, digest, document
from sightline.records import Defect, Inspection, Verdict
from sightline.service.opening import open_plant
from sightline.service.plant import Plant
from sightline.service.rights import Role
from sightline.service.settings import Settings, StoreSettings
from sightline.store import models
from sightline.store.ingest import ingest
from sightline.store.pictures import ViewOf
from sightline.store.users import add
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train

PRODUCT, MODEL = "cap", "cap"
STATIONS = ("press-1", "press-2")
PASSWORD = "seven quiet herons"
PEOPLE = {"olga": Role.OPERATOR, "quentin": Role.QUALITY_ENGINEER, "ada": Role.ADMINISTRATOR}
PARTS = 120  # of both stations together
_DAYS_S = 3 * 86_400.0


def fill(folder: Path) -> None:
    """Make `folder/plant`, which `sightline serve --folder` serves, and `folder/parts`, the pictures behind it.

    There are the people of PEOPLE, the model cap in two versions of which the first is current, and parts of two
    stations over three days, each with its picture and overlay; serial numbers C-0001 and so on.
    """
    write_dataset(folder / "parts", PartConfig(), Counts(good_train=24, good_test=8, per_defect=2), seed=3)
    dataset = open_dataset(folder / "parts")
    for name, seed in (("cap.sight", 0), ("other.sight", 1)):
        train(dataset, folder / name, TrainConfig(seed=seed))
    with open_plant(Settings(store=StoreSettings(folder=folder / "plant")), {}) as plant:
        now_s = time.time()
        for name, role in PEOPLE.items():
            add(plant.database, name=name, role=role, password=PASSWORD, by="test", now_s=now_s)
        for file in ("cap.sight", "other.sight"):
            upload = models.Upload(name=MODEL, author="quentin")
            models.add(plant.database, plant.models, folder / file, upload, now_s=now_s)
        change = models.Change(by="quentin", reason="the first one")
        models.promote(plant.database, MODEL, 1, change, now_s=now_s)
        _report(plant, folder / "cap.sight", dataset, now_s)


def _report(plant: Plant, model: Path, dataset: Dataset, now_s: float) -> None:
    """Parts as two stations report them, most of them good."""
    judge = load(model)
    samples = [*dataset.test]
    good = [sample for sample in samples if sample.label == "good"]
    bad = [sample for sample in samples if sample.label != "good"]
    found = {sample.path: judge.inspect(sample.path) for sample in samples}
    drawn = {sample.path: _drawn(sample.path, found[sample.path]) for sample in samples}
    ids = Ids()
    for place, station in enumerate(STATIONS):
        previous, lines, shown = FIRST, [], []
        for number in range(1, PARTS // 2 + 1):
            turn = number * 2 + place
            sample = bad[turn % len(bad)] if turn % 7 == 0 else good[turn % len(good)]
            part = outcome(
                found[sample.path], ids.new(), turn, now_s - _DAYS_S * (1 - turn / (PARTS + 2)), sample.label
            )
            line = document(content(part), number, previous, station)
            previous = digest(line)
            lines.append(line)
            shown.append((part.id, sample.path))
        ingest(plant.database, lines, now_s=now_s, station=station, clock_s=now_s)
        for known_as, path in shown:
            for overlaid, picture in ((False, path.read_bytes()), (True, drawn[path])):
                view = ViewOf(inspection_id=known_as, view="top", overlay=overlaid, station=station)
                plant.pictures.link(picture, view, digest="", media_type="", now_s=now_s)


def outcome(found: Inspection, known_as: str, number: int, unix_s: float, label: str) -> Outcome:
    """What a station records of a part; every 30th was not judged, every 25th is to be audited."""
    failed, audited = number % 30 == 0, number % 25 == 0
    verdict = Verdict.FAULT if failed else found.verdict
    cause, reason = ("camera", "the camera did not answer") if failed else (None, None)
    defects = () if failed else tuple(_named(found, label))
    view = ViewOutcome(
        view="top",
        verdict=verdict,
        score=None if failed else found.score,
        threshold=found.threshold,
        model_id=found.model_id,
        defects=defects,
        cause=cause,
        reason=reason,
    )
    return Outcome(
        id=known_as,
        part_id=number,
        product=PRODUCT,
        recipe=1,
        verdict=verdict,
        judged=None if failed else verdict,
        told=Signal.FAULT if failed else Signal.OK if verdict is Verdict.PASS else Signal.NG,
        unix_s=unix_s,
        serial=f"C-{number:04}",
        kind=Kind.AUDIT if audited and verdict is Verdict.PASS else Kind.PRODUCTION,
        score=view.score,
        cause=cause,
        reason=reason,
        durations_ms={"camera": 12.0, "model": 20.0 + number % 9, "total": 60.0 + number % 13},
        views=(view,),
    )


def _named(found: Inspection, label: str) -> list[Defect]:
    return [replace(defect, label=label, confidence=0.9) for defect in found.defects if label != "good"] or [
        *found.defects
    ]


def _drawn(path: Path, found: Inspection) -> bytes:
    frame = read_frame(path)
    assert found.map is not None, "it was judged"
    shown = heat_picture(frame.pixels, frame.bit_depth, found.map, found.threshold, defects=found.defects)
    return cv2.imencode(".jpg", np.ascontiguousarray(shown[..., ::-1]))[1].tobytes()
