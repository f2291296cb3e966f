"""From labelled pictures to a model that names what it sees, through the one file and the same inspector."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.bundle import load as load_bundle
from sightline.cli.evaluate import evaluate_model
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, OptionError
from sightline.inspector import Inspector, load
from sightline.models.class_config import LearningConfig
from sightline.records import Verdict
from sightline.supervised import ClassifierConfig, parts_of, train_classifier
from sightline.training import TrainConfig, Trained, train

CONFIG = ClassifierConfig(
    size=(32, 32), learning=LearningConfig(epochs=1), min_recall={"spot": 0.9}, review_confidence=None
)


def write_picture(path: Path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 12, (32, 32)) + cv2.resize(rng.normal(0, 20, (4, 4)), (32, 32))
    y, x = rng.integers(4, 20, 2)
    if label == "spot":
        pixels[y : y + 8, x : x + 8] += 90
    if label == "stripes":
        pixels[:, ::4] -= 60
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "classes"
    for place, label in enumerate(("good", "spot", "stripes")):
        for number in range(12):
            write_picture(root / label / f"{number:02}.png", label, 100 * place + number)
    return root


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    return train_classifier(open_classes(folder), folder.parent / "names.sight", CONFIG)


@pytest.fixture(scope="module")
def inspector(trained: Trained) -> Inspector:
    return load(trained.bundle.path, threads=1)


def test_it_names_what_it_sees_and_says_where(inspector: Inspector, folder: Path) -> None:
    found = inspector.inspect(folder / "spot" / "00.png")
    assert found.verdict is Verdict.REJECT
    assert found.probabilities is not None
    assert max(found.probabilities, key=found.probabilities.__getitem__) == "spot"
    assert {defect.label for defect in found.defects} == {"spot"}
    assert found.defects[0].confidence == pytest.approx(found.probabilities["spot"])
    assert found.map is not None
    assert found.map.max() == pytest.approx(found.score)


def test_a_good_picture_passes_without_defects(inspector: Inspector, folder: Path) -> None:
    found = [inspector.inspect(path) for path in sorted((folder / "good").iterdir())]
    assert sum(one.verdict is Verdict.PASS and not one.defects for one in found) >= 11


def test_the_manifest_says_what_the_classes_promise(trained: Trained) -> None:
    manifest = trained.bundle.manifest
    assert manifest.naming is not None
    assert manifest.labels == manifest.naming.names == ("good", "spot", "stripes")
    spot = manifest.naming.classes[1]
    assert (spot.images, spot.examples, spot.min_recall) == (10, 2, 0.9)
    assert any("proves a recall of" in warning for warning in trained.warnings)


def test_nothing_is_left_beside_the_model(trained: Trained) -> None:
    assert [path.name for path in trained.bundle.path.parent.iterdir() if path.is_file()] == ["names.sight"]


def test_the_same_pictures_and_seed_give_the_same_file(trained: Trained, folder: Path, tmp_path: Path) -> None:
    again = train_classifier(open_classes(folder), tmp_path / "again.sight", CONFIG)
    assert again.bundle.path.read_bytes() == trained.bundle.path.read_bytes()


def test_an_evaluation_has_figures_of_every_class(inspector: Inspector, folder: Path) -> None:
    naming = evaluate_model(inspector, open_classes(folder)).naming
    assert naming is not None
    assert naming.macro_f1 > 0.9


def test_a_file_whose_graph_names_nothing_cannot_claim_names(trained: Trained, folder: Path, tmp_path: Path) -> None:
    config = TrainConfig(size=(32, 48), dimensions=8, bank=50)
    plain = train(open_dataset(folder), tmp_path / "plain.sight", config)
    assert load_bundle(plain.bundle.path).manifest.naming is None


def masked(folder: Path, root: Path) -> Dataset:
    """The spots with masks, but for one; where they lie is what `write_picture` drew."""
    samples = []
    for sample in open_classes(folder).samples:
        mask = None
        if sample.label == "spot" and sample.path.stem != "03":
            rng = np.random.default_rng(100 + int(sample.path.stem))
            rng.normal(120, 12, (32, 32)), rng.normal(0, 20, (4, 4))
            y, x = rng.integers(4, 20, 2)
            pixels = np.zeros((32, 32), np.uint8)
            pixels[y : y + 8, x : x + 8] = 1
            mask = root / f"{sample.path.stem}.png"
            cv2.imwrite(str(mask), pixels)
        samples.append(replace(sample, mask=mask))
    return Dataset(name="masked", root=folder, samples=tuple(samples))


def test_masks_are_learnt_from_without_being_asked_for(folder: Path, tmp_path: Path) -> None:
    stages = set()
    found = train_classifier(
        masked(folder, tmp_path), tmp_path / "names.sight", CONFIG, lambda stage, done, total: stages.add(stage)
    )
    assert "fine-tuning" in stages
    assert load(found.bundle.path, threads=1).inspect(folder / "spot" / "00.png").verdict is Verdict.REJECT
    with_network_as_it_is = set[str]()
    train_classifier(
        open_classes(folder),
        tmp_path / "plain.sight",
        CONFIG,
        lambda stage, done, total: with_network_as_it_is.add(stage),
    )
    assert "fine-tuning" not in with_network_as_it_is


def test_a_mask_that_does_not_fit_its_picture_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    found = masked(folder, tmp_path)
    cv2.imwrite(str(tmp_path / "05.png"), np.ones((8, 8), np.uint8))
    with pytest.raises(DatasetError, match=r"05.png: the mask is 8 x 8, its picture 32 x 32 pixels"):
        train_classifier(found, tmp_path / "names.sight", CONFIG)


def dataset(folder: Path, counts: dict[str, int], splits: dict[str, str] | None = None) -> Dataset:
    samples = [
        Sample(path=folder / label / f"{number:02}.png", label=label, split=(splits or {}).get(label, "train"))
        for label, count in counts.items()
        for number in range(count)
    ]
    return Dataset(name="d", root=folder, samples=tuple(samples))


def test_a_seventh_of_each_class_is_held_out(folder: Path) -> None:
    parts = parts_of(dataset(folder, {"good": 12, "spot": 12}), CONFIG)
    assert [sum(s.label == "spot" for s in part) for part in (parts.learn, parts.held_out)] == [10, 2]


def test_copies_of_a_picture_stay_on_one_side(folder: Path, tmp_path: Path) -> None:
    for label in ("good", "spot"):
        for number in range(6):
            write_picture(tmp_path / label / f"{number}.png", label, number)
            (tmp_path / label / f"{number}-copy.png").write_bytes((tmp_path / label / f"{number}.png").read_bytes())
    parts = parts_of(open_classes(tmp_path), CONFIG)
    sides = [{(s.label, s.path.stem[0]) for s in part} for part in (parts.learn, parts.held_out)]
    assert not sides[0] & sides[1]


def test_validation_pictures_of_the_data_set_are_taken(folder: Path) -> None:
    own = dataset(folder, {"good": 8, "spot": 8})
    samples = tuple(replace(s, split="validation" if s.path.stem >= "06" else "train") for s in own.samples)
    assert {s.path.stem for s in parts_of(replace(own, samples=samples), CONFIG).held_out} == {"06", "07"}


def test_a_training_split_without_defects_gives_way_to_all_pictures(folder: Path) -> None:
    parts = parts_of(dataset(folder, {"good": 8, "spot": 8}, {"spot": "test"}), CONFIG)
    assert {s.label for s in parts.learn} == {"good", "spot"}
    assert "sightline data split" in parts.warnings[0]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"good": 8}, "shows 1 class; a classifier needs two"),
        ({"good": 8, "spot": 3}, r"too few pictures of spot \(3\)"),
    ],
)
def test_what_teaches_no_names_is_refused(folder: Path, counts: dict[str, int], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        parts_of(dataset(folder, counts), CONFIG)


def test_a_recall_of_an_unknown_class_is_refused(folder: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, min_recall={"crak": 0.9})
    with pytest.raises(OptionError, match="no defect class 'crak' to ask a recall of; there are spot, stripes"):
        train_classifier(open_classes(folder), tmp_path / "m.sight", config)
    assert not list(tmp_path.iterdir())


def test_folders_none_of_which_is_good_are_classes_for_names_only(folder: Path, tmp_path: Path) -> None:
    for label in ("spot", "stripes"):
        write_picture(tmp_path / label / "a.png", label, 1)
    assert open_dataset(tmp_path).labels == ("good",)
    assert open_classes(tmp_path).labels == ("spot", "stripes")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"download": True}, "belong to a network"),
        ({"network": "resnet50", "backbone": Path("b.onnx")}, "name two networks"),
        ({"review_confidence": 1.5}, "the review confidence is 1.5"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        ClassifierConfig(**options)  # type: ignore[arg-type]
