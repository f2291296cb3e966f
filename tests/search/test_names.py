"""A search where defects have names: classifiers and hybrids beside anomaly models, judged by the same pictures."""

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from sightline.datasets.dataset import Dataset, Sample
from sightline.errors import DatasetError
from sightline.records import Timings

pytest.importorskip("optuna", reason="the search needs the extra [train]")
pytest.importorskip("torch", reason="a classifier needs the extra [train]")

from sightline.hybrid import train_hybrid
from sightline.search.leaderboard import write_leaderboard
from sightline.search.material import Material, nameable, prepare_named
from sightline.search.space import BEST, SHIPPED, Settings, Space, config_of, naming_config_of, space_for
from sightline.search.study import search
from sightline.search.trial import Limits, measured, slowest_ms
from sightline.supervised import train_classifier
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render

KINDS = {"good": 24, "missing_component": 8, "discoloration": 8}
SMALL: Settings = {"short_side": 64, "backbone": SHIPPED, "bank": 500, "dimensions": 32, "position_prior": True}
NAMED: Settings = {"short_side": 64, "backbone": SHIPPED, "fine_tuned": False, "imbalance": BEST}


def told_nothing(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Rendered parts, all of them for training, and one for a test that cannot be read."""
    root = tmp_path_factory.mktemp("parts")
    samples = [Sample(path=root / "test.png", label="good", split="test")]
    samples[0].path.write_bytes(b"no picture")
    for stream, (label, count) in enumerate(KINDS.items()):
        for index in range(count):
            defect = None if label == "good" else DefectType(label)
            part = render(PartConfig(size=96), np.random.default_rng((stream, index)), defect=defect)
            path = root / f"{label}{index:02}.png"
            cv2.imwrite(str(path), part.pixels[..., ::-1])
            samples.append(Sample(path=path, label=label))
    return Dataset(name="parts", root=root, samples=tuple(samples))


def test_of_every_kind_some_are_held_out_and_no_picture_is_on_both_sides(parts: Dataset) -> None:
    material = prepare_named(parts, 0, 50.0)
    learnt = {sample.path for sample in material.learn.samples}
    assert not learnt & {*material.good, *material.defects}
    assert len(learnt) + len(material.good) + len(material.defects) == sum(KINDS.values())
    assert {path.stem[:-2] for path in material.defects} == set(material.kinds) == set(KINDS) - {"good"}
    assert all(path.stem[:-2] == kind for path, kind in zip(material.defects, material.kinds, strict=True))
    assert material.told == "6 good pictures held out and 4 real defects of 2 kinds, held out too"


def test_kinds_of_few_pictures_are_left_out(parts: Dataset) -> None:
    few = replace(parts, samples=parts.samples[:-1])
    assert nameable(parts) == {"missing_component": 8, "discoloration": 8}
    assert nameable(few) == {"missing_component": 8}
    with pytest.raises(DatasetError, match="has 1 kinds of defect with 8 pictures"):
        prepare_named(few, 0, 50.0)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param({"method": "padim", "short_side": 64, "backbone": SHIPPED, "dimensions": 32}, False, id="padim"),
        pytest.param({"method": "classifier", **NAMED}, True, id="classifier"),
        pytest.param({"method": "hybrid", **SMALL, **NAMED}, True, id="hybrid"),
    ],
)
def test_every_method_is_measured_on_the_same_pictures(
    parts: Dataset, tmp_path: Path, settings: Settings, names: bool
) -> None:
    attempt = measured(1, settings, prepare_named(parts, 0, 50.0), Limits(), tmp_path, told_nothing)
    assert attempt.auroc is not None
    assert attempt.defects == 4
    assert (attempt.macro_f1 is not None) is names
    assert attempt.merit == attempt.auroc
    assert list(tmp_path.iterdir()) == []


def test_without_good_pictures_names_alone_are_compared(parts: Dataset, tmp_path: Path) -> None:
    spoilt = replace(parts, samples=tuple(sample for sample in parts.samples if not sample.is_good))
    limits = Limits(minutes=1e-6)
    space = Space(methods=("classifier",), short_sides=(64,), backbones=(SHIPPED,))
    found = search(spoilt, tmp_path / "names.sight", limits, folder=tmp_path / "search", space=space)
    assert found.chosen.by_names
    assert (found.chosen.auroc, found.chosen.found) == (None, None)
    assert found.chosen.merit == found.chosen.macro_f1
    assert set(found.trained.bundle.manifest.labels) == set(KINDS) - {"good"}
    text = write_leaderboard(tmp_path, found, limits).read_text("utf-8")
    assert "macro F1 of the names" in text
    with (tmp_path / "leaderboard.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["auroc"], row["recall"]) == ("", "")
    assert float(row["macro_f1"]) == pytest.approx(found.chosen.merit, abs=1e-4)


def test_the_space_holds_what_the_task_can_use() -> None:
    both = space_for(50, 128, 5, (), names=True)
    assert both.methods == ("classifier", "hybrid", "patchcore", "padim")
    assert both.short_sides == (128, 192, 256)
    assert [settings["method"] for settings in both.first][:2] == ["hybrid", "classifier"]
    assert space_for(0, 128, 5, (), finds=False, names=True).methods == ("classifier",)
    assert len(space_for(0, 128, 5, (), finds=False, names=True, uneven=True).imbalances) == 5


def test_the_settings_reach_the_classifier() -> None:
    asked = naming_config_of({**NAMED, "imbalance": "focal"}, minutes=2.0, seed=3, max_megapixels=9.0)
    assert (asked.short_side, asked.max_megapixels, asked.backbone) == (64, 9.0, None)
    assert (asked.learning.unfreeze, asked.learning.imbalance, asked.learning.seed) == ("none", "focal", 3)
    tuned = naming_config_of({**NAMED, "fine_tuned": True}, minutes=2.0, seed=3, max_megapixels=9.0).learning
    assert (tuned.unfreeze, tuned.epochs > 0) == ("last", True)


@pytest.mark.parametrize("tuned", [False, True])
def test_what_is_fine_tuned_lets_the_network_learn(parts: Dataset, tmp_path: Path, tuned: bool) -> None:
    learn, stages = prepare_named(parts, 0, 50.0).learn, set[str]()
    spoilt = replace(learn, samples=tuple(sample for sample in learn.samples if not sample.is_good))
    asked = naming_config_of({**NAMED, "fine_tuned": tuned}, minutes=30.0, seed=0, max_megapixels=9.0)
    asked = replace(asked, precision="fp32", learning=replace(asked.learning, epochs=1))
    train_classifier(spoilt, tmp_path / "names.sight", asked, lambda stage, done, total: stages.add(stage))
    assert ("fine-tuning" in stages) is tuned  # the weights stay as they were where no epoch made them better


def test_what_names_the_regions_of_a_hybrid_is_fine_tuned_too(parts: Dataset, tmp_path: Path) -> None:
    settings: Settings = {"method": "hybrid", **SMALL, **NAMED, "fine_tuned": True}
    asked = naming_config_of(settings, minutes=30.0, seed=0, max_megapixels=9.0)
    asked = replace(asked, precision="fp32", learning=replace(asked.learning, epochs=1))
    anomalies, stages = config_of(settings, max_overkill=0.01, seed=0, max_megapixels=9.0), set[str]()
    learn = prepare_named(parts, 0, 50.0).learn
    train_hybrid(learn, tmp_path / "hybrid.sight", anomalies, asked, lambda stage, done, total: stages.add(stage))
    assert "fine-tuning" in stages


class Clock:
    """Judges by the number of regions that a picture's name ends in: each takes 10 ms to name."""

    def frame(self, picture: Path) -> Path:
        return picture

    def inspect(self, picture: Path) -> SimpleNamespace:
        regions = int(picture.stem)
        timings = Timings(decode_ms=None, graph_ms=5.0, total_ms=5.0 + 10 * regions)
        return SimpleNamespace(defects=(None,) * regions, timings=timings)


def test_the_latency_is_that_of_the_defect_with_the_most_names(parts: Dataset) -> None:
    clock, defects = Clock(), tuple(Path(f"{regions}.png") for regions in (1, 7, 3))
    material = Material(learn=parts, good=(Path("0.png"),), defects=defects, painted=False)
    found = [clock.inspect(picture) for picture in defects]
    assert slowest_ms(clock, material, found) == 75.0  # type: ignore[arg-type]  # it judges by the clock alone
