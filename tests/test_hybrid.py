"""The hybrid: an anomaly model decides, a classifier names what it finds; what has no name is rejected all the same."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline import hybrid
from sightline.bundle import load as load_bundle
from sightline.bundle import packed, save, save_changed
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.errors import BundleError, DatasetError, OptionError
from sightline.hybrid import train_hybrid
from sightline.inspector import Inspector, load
from sightline.models.class_config import LearningConfig
from sightline.models.exemplars import from_bytes
from sightline.name_rules import RegionRule
from sightline.records import Box, Frame, Verdict
from sightline.regions import cut_out
from sightline.supervised import ClassifierConfig
from sightline.teaching import teach
from sightline.training import TrainConfig, Trained

SIDE = 128
NAMING = ClassifierConfig(learning=LearningConfig(epochs=0))
RULE = RegionRule(names_sha256="0" * 64, side_share=1.5, least_px=20)


def write_picture(path: Path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = 110 + cv2.resize(rng.normal(0, 8, (6, 6)), (SIDE, SIDE)) + rng.normal(0, 4, (SIDE, SIDE))
    x, y = (int(at) for at in rng.integers(24, SIDE - 48, 2))
    if label == "spot":
        cv2.circle(pixels, (x + 10, y + 10), 9, 235.0, -1)
    if label == "scratch":
        cv2.line(pixels, (x, y), (x + 24, y + 18), 10.0, 2)
    if label == "cross":
        cv2.line(pixels, (x, y), (x + 20, y + 20), 240.0, 3)
        cv2.line(pixels, (x + 20, y), (x, y + 20), 10.0, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hybrid")
    for place, label in enumerate(("good", "spot", "scratch")):
        for number in range(40 if label == "good" else 16):
            write_picture(root / "parts" / label / f"{number:02}.png", label, 100 * place + number)
    for number in range(12):
        write_picture(root / "crosses" / f"{number:02}.png", "cross", 900 + number)
        for label in ("good", "spot", "scratch"):
            write_picture(root / "new" / label / f"{number:02}.png", label, 500 + 20 * len(label) + number)
    return root


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    config = TrainConfig(size=(SIDE, SIDE), max_overkill=0.05)
    return train_hybrid(open_classes(folder / "parts"), folder / "part.sight", config, NAMING)


@pytest.fixture(scope="module")
def inspector(trained: Trained) -> Inspector:
    return load(trained.bundle.path, threads=1)


def test_it_says_what_a_defect_looked_most_like_and_keeps_no_more_than_its_bank(
    trained: Trained, inspector: Inspector, folder: Path
) -> None:
    assert trained.bundle.exemplars is not None
    assert len(from_bytes(trained.bundle.exemplars).cells) == trained.bundle.manifest.provenance.config["bank"]
    frame = inspector.frame(folder / "new/spot/03.png")
    found = inspector.explain(frame, inspector.inspect(frame))
    assert found[0].source in {f"{number:02}.png" for number in range(40)}
    assert int(found[0].part.max()) > int(found[0].good.max())  # a bright spot, and none


def test_it_names_what_it_finds_in_new_pictures(inspector: Inspector, folder: Path) -> None:
    found = evaluate_model(inspector, open_classes(folder / "new"))
    assert found.naming is not None
    recall = {one.name: one.recall.value or 0 for one in found.naming.classes}
    assert recall["spot"] > 0.6
    assert recall["scratch"] > 0.6
    assert recall["good"] > 0.8
    wrong = [found.naming.confusion[truth][name] for truth, name in (("spot", "scratch"), ("scratch", "spot"))]
    assert sum(wrong) <= 1  # the rest is not named at all


def test_the_anomaly_model_has_the_last_word(inspector: Inspector, trained: Trained, folder: Path) -> None:
    alone = replace(trained.bundle, names=None, names_file=None)
    bare = Inspector(alone, threads=1)
    for path in sorted((folder / "new").rglob("*.png")):
        with_names, without = inspector.inspect(path), bare.inspect(path)
        assert (with_names.verdict, with_names.score) == (without.verdict, without.score)
        assert [one.box for one in with_names.defects] == [one.box for one in without.defects]


def test_a_new_kind_of_defect_is_rejected_whatever_it_is_called(inspector: Inspector, folder: Path) -> None:
    found = [inspector.inspect(path) for path in sorted((folder / "crosses").iterdir())]
    assert all(one.verdict is Verdict.REJECT for one in found)
    assert sum(one.named == "anomaly" for one in found) >= 4  # like nothing known, and said so


def test_it_is_taught_a_new_kind_and_the_verdicts_stay(inspector: Inspector, trained: Trained, folder: Path) -> None:
    crosses = sorted((folder / "crosses").iterdir())
    taught = teach(trained.bundle, "cross", crosses[:5], folder / "taught.sight")
    assert taught.bundle.manifest.labels[-1] == "cross"
    after = load(taught.bundle.path, threads=1)
    found = [after.inspect(path) for path in crosses[5:]]
    assert sum(one.named == "cross" for one in found) >= 5
    good = sorted((folder / "new/good").iterdir())
    assert [after.inspect(p).verdict for p in good] == [inspector.inspect(p).verdict for p in good]


def test_good_pictures_are_called_good(inspector: Inspector, folder: Path) -> None:
    for path in sorted((folder / "new/good").iterdir()):
        found = inspector.inspect(path)
        assert (found.named == "good") == (found.verdict is Verdict.PASS)


def test_the_manifest_lists_all_labels_and_only_the_model_is_left(trained: Trained, folder: Path) -> None:
    assert trained.bundle.manifest.labels == ("good", "anomaly", "scratch", "spot")
    assert trained.bundle.manifest.method == "patchcore"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_names_that_are_not_those_of_the_manifest_are_refused(trained: Trained, tmp_path: Path) -> None:
    bundle = trained.bundle
    assert bundle.names is not None
    assert bundle.manifest.regions is not None
    path = tmp_path / "m.sight"
    other = packed(bundle.graph, replace(bundle.manifest, regions=None), None, None, bundle.exemplars)
    with pytest.raises(BundleError, match=r"names\.sight is not the model the manifest names"):
        save(path, bundle.graph, bundle.manifest, None, other, bundle.exemplars)
    with pytest.raises(BundleError, match="differ about names"):
        save(path, bundle.graph, bundle.manifest, None, None, bundle.exemplars)
    nested = packed(bundle.graph, bundle.manifest, None, bundle.names_file, bundle.exemplars)
    rule = replace(bundle.manifest.regions, names_sha256=hashlib.sha256(nested).hexdigest())
    with pytest.raises(BundleError, match=r"names\.sight: gives no names"):
        save(path, bundle.graph, replace(bundle.manifest, regions=rule), None, nested, bundle.exemplars)
    assert not path.exists()


def test_a_changed_threshold_keeps_the_names(trained: Trained, tmp_path: Path) -> None:
    bundle = trained.bundle
    limits = replace(bundle.manifest.thresholds, reject=bundle.manifest.thresholds.reject + 1)
    save_changed(tmp_path / "m.sight", bundle, replace(bundle.manifest, thresholds=limits))
    again = load_bundle(tmp_path / "m.sight")
    assert again.names is not None
    assert bundle.names is not None
    assert again.names.model_id == bundle.names.model_id


def test_pieces_of_synthetic_pictures_are_learnt_from_and_never_judge(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / "parts", tmp_path / "parts")
    (tmp_path / "parts/spot/00.png").rename(tmp_path / "parts/spot/synthetic_00.png")
    seen: list[Dataset] = []

    def stop(dataset: Dataset, *_: object) -> None:
        seen.append(dataset)
        raise OptionError("far enough")

    monkeypatch.setattr(hybrid, "train_classifier", stop)
    config = TrainConfig(size=(SIDE, SIDE), max_overkill=0.05)
    with pytest.raises(OptionError, match="far enough"):
        train_hybrid(open_classes(tmp_path / "parts"), tmp_path / "part.sight", config, NAMING)
    marked = [sample.path.name.startswith("synthetic_") for sample in seen[0].samples]
    assert (sum(marked), len(marked)) == (1, 32)


def test_without_two_kinds_of_defect_there_is_nothing_to_name(folder: Path, tmp_path: Path) -> None:
    for number in range(12):
        write_picture(tmp_path / "parts/good" / f"{number}.png", "good", number)
        write_picture(tmp_path / "parts/spot" / f"{number}.png", "spot", number)
    with pytest.raises(DatasetError, match="has 1 kinds of defect"):
        train_hybrid(open_classes(tmp_path / "parts"), tmp_path / "m.sight", TrainConfig(), NAMING)
    asked = replace(NAMING, min_recall={"spot": 0.9})
    with pytest.raises(OptionError, match="set its threshold for a recall"):
        train_hybrid(open_classes(folder / "parts"), tmp_path / "m.sight", TrainConfig(), asked)
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


@pytest.mark.parametrize(
    ("box", "where"),
    [
        (Box(x=40, y=40, width=10, height=8), (35, 34, 20, 20)),  # x, y, width, height of the piece
        (Box(x=0, y=90, width=4, height=10), (0, 80, 20, 20)),  # at a corner: within the frame
        (Box(x=10, y=0, width=40, height=2), (0, 0, 60, 60)),  # one and a half times the longer side
        (Box(x=0, y=0, width=100, height=100), (0, 0, 120, 100)),  # never beyond the frame
    ],
)
def test_pieces_are_squares_around_regions_within_the_frame(box: Box, where: tuple[int, int, int, int]) -> None:
    y, x = np.mgrid[:100, :120]
    frame = Frame(pixels=np.stack([x, y, x], axis=2).astype(np.uint8))
    values = np.zeros((50, 60), np.float32)
    values[box.y // 2 : (box.y + box.height) // 2, box.x // 2 : (box.x + box.width) // 2] = 5
    found = cut_out(frame, box, values, RULE)
    piece, weights = found.frame.pixels, found.weights
    assert weights.shape == piece.shape[:2]
    if box.width < 100:
        assert (weights.max(), weights.min()) == (255, 0)
        assert weights.mean() < 128
    else:  # nothing is usual: all pixels count alike
        assert weights.max() == 0
    assert (int(piece[0, 0, 0]), int(piece[0, 0, 1]), piece.shape[1], piece.shape[0]) == where
