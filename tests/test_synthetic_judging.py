"""Whether synthetic pictures helped is told by the product's classifier, on real pictures that none learnt from."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from sightline.cli.main import cli
from sightline.cli.naming import synthetic_lines
from sightline.datasets.csv_file import read
from sightline.datasets.dataset import Dataset
from sightline.errors import DatasetError
from sightline.evaluation.comparison import Comparison, Difference
from sightline.models.class_config import LearningConfig
from sightline.supervised import ClassifierConfig
from sightline.synthetic_judging import train_and_judge

CONFIG = ClassifierConfig(size=(32, 32), learning=LearningConfig(epochs=0), review_confidence=None)
REAL = {"good": 12, "spot": 12, "stripes": 3}  # three are too few for a classifier to know the class


def write_picture(path: Path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 12, (32, 32)) + cv2.resize(rng.normal(0, 20, (4, 4)), (32, 32))
    y, x = rng.integers(4, 20, 2)
    if label == "spot":
        pixels[y : y + 8, x : x + 8] += 90
    if label == "stripes":
        step, first = rng.integers(4, 9), rng.integers(0, 4)
        (pixels if seed % 2 else pixels.T)[:, first::step] -= 60
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few real stripes to learn from and twelve synthetic ones; six real pictures of each class to judge by."""
    root = tmp_path_factory.mktemp("mixed")
    rows = ["image,label,split"]
    for place, (label, real) in enumerate(REAL.items()):
        made = [(f"{label}_{number}", "train") for number in range(real)]
        made += [(f"{label}_test_{number}", "test") for number in range(6)]
        made += [(f"{label}_validation_{number}", "validation") for number in range(4)]
        made += [(f"synthetic_{label}_{number}", "train") for number in range(12 if label == "stripes" else 0)]
        for number, (name, split) in enumerate(made):
            write_picture(root / f"{name}.png", label, 100 * place + number)
            rows.append(f"{name}.png,{label},{split}")
    table = root / "mixed.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


@pytest.fixture(scope="module")
def dataset(mixed: Path) -> Dataset:
    return read(mixed)


def test_a_class_that_only_the_synthetic_pictures_teach_is_shown_to_be_helped(dataset: Dataset, tmp_path: Path) -> None:
    trained = train_and_judge(dataset, tmp_path / "names.sight", CONFIG)
    found = trained.synthetic
    assert found is not None
    assert (found.judged, found.labels) == (18, dataset.labels)
    stripes = found.labels.index("stripes")
    assert found.without_recall[stripes] == 0
    assert found.with_recall[stripes] >= 0.8
    assert found.difference.verdict == "helps"
    assert found.difference.value == pytest.approx(found.with_f1 - found.without_f1)
    assert set(trained.bundle.manifest.labels) == set(REAL)  # the model that is kept learnt from both
    assert [path.name for path in tmp_path.iterdir()] == ["names.sight"]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        pytest.param(lambda s: s.path.name.startswith("synthetic_"), "no synthetic pictures", id="nothing synthetic"),
        pytest.param(lambda s: s.split == "test", "no real test pictures to judge by", id="nothing held out"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_is_learnt(
    dataset: Dataset, tmp_path: Path, left_out: object, said: str
) -> None:
    assert callable(left_out)
    fewer = replace(dataset, samples=tuple(sample for sample in dataset.samples if not left_out(sample)))
    with pytest.raises(DatasetError, match=said):
        train_and_judge(fewer, tmp_path / "names.sight", CONFIG)
    assert not list(tmp_path.iterdir())


def test_it_is_told_in_words_with_its_interval() -> None:
    found = Comparison(
        labels=("good", "crack"),
        judged=40,
        without_f1=0.6,
        with_f1=0.75,
        difference=Difference(value=0.15, low=0.02, high=0.28),
        without_recall=(0.9, 0.3),
        with_recall=(0.85, 0.6),
    )
    assert synthetic_lines(found) == [
        "synthetic pictures: helps; macro F1 0.600 without, 0.750 with: +0.150 (95 % interval +0.020 to +0.280) on 40 "
        "real test pictures; the luck of one training is not in it",
        "  recall     good   0.900 without, 0.850 with",
        "  recall     crack  0.300 without, 0.600 with",
    ]


def test_the_command_tells_it_as_json(mixed: Path, tmp_path: Path) -> None:
    words = ["train", str(mixed), "-o", str(tmp_path / "m.sight"), "--method", "classifier", "--judge-synthetic"]
    words += ["--size", "32", "--epochs", "0", "--quiet", "--json"]
    found = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout)["synthetic"]
    assert (found["verdict"], found["judged"]) == ("helps", 18)
    assert found["difference"]["low"] <= found["difference"]["value"] <= found["difference"]["high"]


def test_other_methods_do_not_take_it(mixed: Path, tmp_path: Path) -> None:
    for method in ("patchcore", "segmenter", "hybrid"):
        words = ["train", str(mixed), "-o", str(tmp_path / "m.sight"), "--method", method, "--judge-synthetic"]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2
        assert f"--judge-synthetic has no effect with --method {method}" in done.output
