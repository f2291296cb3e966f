"""Teaching a new class from a few examples: found by its name, the old ones as before, strangers to a person."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.bundle import load as load_bundle
from sightline.datasets.labelled import open_classes
from sightline.errors import FrameError, OptionError
from sightline.inspector import Inspector, load
from sightline.manifest import Thresholds
from sightline.models.class_config import LearningConfig
from sightline.name_rules import ClassRule, Naming, TaughtClass
from sightline.naming import name
from sightline.records import Verdict
from sightline.supervised import ClassifierConfig, train_classifier
from sightline.teaching import Taught, teach

CONFIG = ClassifierConfig(size=(64, 64), learning=LearningConfig(epochs=0), review_confidence=None)


def write_picture(path: Path, label: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.normal(120, 12, (64, 64)) + cv2.resize(rng.normal(0, 20, (4, 4)), (64, 64))
    y, x = rng.integers(8, 36, 2)
    if label == "spot":
        pixels[y : y + 16, x : x + 16] += 90
    if label == "stripes":
        pixels[:, ::6] -= 60
    if label == "ring":
        cv2.circle(pixels, (int(x) + 8, int(y) + 8), 9, 20.0, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("teaching")
    for place, label in enumerate(("good", "spot", "stripes", "ring")):
        for number in range(16):
            part = "unseen" if label == "ring" else "classes"
            write_picture(root / part / label / f"{number:02}.png", label, 100 * place + number)
    return root


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return train_classifier(open_classes(folder / "classes"), folder / "names.sight", CONFIG).bundle.path


@pytest.fixture(scope="module")
def rings(folder: Path) -> list[Path]:
    return sorted((folder / "unseen" / "ring").iterdir())


@pytest.fixture(scope="module")
def taught(model: Path, rings: list[Path]) -> Taught:
    return teach(load_bundle(model), "ring", rings[:5], model.with_name("taught.sight"))


def verdicts(model: Path, pictures: list[Path]) -> list[tuple[str, Verdict]]:
    inspector = load(model, threads=1)
    found = [inspector.inspect(picture) for picture in pictures]
    return [(one.defects[0].label if one.defects else "good", one.verdict) for one in found]


def test_further_pictures_of_the_class_are_rejected_by_its_name(taught: Taught, rings: list[Path]) -> None:
    found = verdicts(taught.bundle.path, rings[5:])
    assert sum(one == ("ring", Verdict.REJECT) for one in found) >= 9
    assert sum(verdict is Verdict.PASS for _, verdict in found) == 0


def test_the_classes_known_before_are_named_as_before(model: Path, taught: Taught, folder: Path) -> None:
    pictures = sorted((folder / "classes").rglob("*.png"))
    before, after = verdicts(model, pictures), verdicts(taught.bundle.path, pictures)
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1
    score = Inspector(load_bundle(model)).inspect(pictures[0]).score
    assert Inspector(taught.bundle).inspect(pictures[0]).score == score


def test_the_file_says_what_was_taught(model: Path, taught: Taught) -> None:
    before = load_bundle(model)
    assert taught.bundle.model_id != before.model_id
    assert taught.bundle.manifest.labels == ("good", "spot", "stripes", "ring")
    assert taught.rule.examples == 5
    assert 0 < taught.rule.similarity < 1
    assert before.manifest.labels == ("good", "spot", "stripes")


def test_two_classes_can_be_taught_one_after_another(taught: Taught, folder: Path, tmp_path: Path) -> None:
    crosses = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        write_picture(path, "good", 900 + number)
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None
        cv2.line(pixels, (10 + number, 8), (50, 56), 250, 3)
        cv2.line(pixels, (50, 8), (10, 56 - number), 250, 3)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        crosses.append(path)
    again = teach(taught.bundle, "cross", crosses[:4], tmp_path / "again.sight")
    assert again.bundle.manifest.labels[-2:] == ("ring", "cross")
    assert verdicts(again.bundle.path, crosses[4:]) == [("cross", Verdict.REJECT)]
    assert "4 examples are few" in again.warnings[0]
    assert (
        sum(label == "ring" for label, _ in verdicts(again.bundle.path, sorted((folder / "unseen/ring").iterdir()))) > 9
    )


def test_teaching_in_place_replaces_the_file_whole(model: Path, rings: list[Path], tmp_path: Path) -> None:
    own = tmp_path / "own.sight"
    own.write_bytes(model.read_bytes())
    teach(load_bundle(own), "ring", rings[:5], own)
    assert load_bundle(own).manifest.labels[-1] == "ring"
    assert [path.name for path in tmp_path.iterdir()] == ["own.sight"]


@pytest.mark.parametrize(
    ("label", "count", "said"),
    [
        ("spot", 5, "the model knows 'spot' already"),
        ("good", 5, "good parts are not taught"),
        (" ", 5, "has no name"),
        ("ring", 2, "2 examples are too few; give at least 3"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    model: Path, rings: list[Path], tmp_path: Path, label: str, count: int, said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        teach(load_bundle(model), label, rings[:count], tmp_path / "out.sight")
    assert not list(tmp_path.iterdir())


def test_the_same_picture_twice_is_one_example(model: Path, rings: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is the same picture as"):
        teach(load_bundle(model), "ring", [*rings[:3], rings[0]], tmp_path / "out.sight")


def test_an_example_that_cannot_be_read_is_named(model: Path, rings: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(FrameError, match=r"broken\.png"):
        teach(load_bundle(model), "ring", [*rings[:3], broken], tmp_path / "out.sight")


LEARNT = np.array([0.9, 0.06, 0.04], np.float32)
LIMITS = Thresholds(reject=0.5, review=None, rule="", promise="", max_overkill=None)


def with_ring(least: float | None = None) -> Naming:
    return Naming(
        classes=tuple(ClassRule(name=name, images=9) for name in ("good", "crack", "dent")),
        review_confidence=None,
        taught=(TaughtClass(name="ring", examples=5, similarity=0.5),),
        least_similarity=least,
    )


@pytest.mark.parametrize(
    ("similarities", "least", "label", "verdict"),
    [
        pytest.param((0.1, 0.2, 0.0, 0.5), None, "ring", Verdict.REJECT, id="at its similarity"),
        pytest.param((0.1, 0.2, 0.0, 0.49), None, "good", Verdict.PASS, id="below it"),
        pytest.param((0.7, 0.2, 0.0, 0.6), None, "good", Verdict.PASS, id="liker to a class learnt"),
        pytest.param((0.1, 0.2, 0.0, 0.3), 0.4, "good", Verdict.REVIEW, id="like nothing known"),
        pytest.param((0.4, 0.2, 0.0, 0.3), 0.4, "good", Verdict.PASS, id="just like enough"),
    ],
)
def test_the_verdict_follows_the_similarities(
    similarities: tuple[float, ...], least: float | None, label: str, verdict: Verdict
) -> None:
    found = name(with_ring(least), LIMITS, LEARNT, 0.1, np.array(similarities, np.float32))
    assert (found.label, found.verdict) == (label, verdict)
