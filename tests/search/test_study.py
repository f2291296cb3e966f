"""The search: it tries, keeps what it tried, goes on after a break, and gives the best within the limits."""

import csv
import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.datasets.opening import open_dataset
from sightline.datasets.synthetic import is_synthetic
from sightline.errors import DatasetError, OptionError
from sightline.inspector import load

pytest.importorskip("optuna", reason="the search needs the extra [train]")

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sightline.search.leaderboard import COLUMNS, write_leaderboard
from sightline.search.material import prepare
from sightline.search.space import SHIPPED, Space, space_for
from sightline.search.study import Outcome, search
from sightline.search.trial import Limits

GOOD = 26
ONE = Space(methods=("padim",), short_sides=(64,), backbones=(SHIPPED,))  # three settings: its dimensions


def picture(rng: np.random.Generator, *, spoilt: bool = False) -> np.ndarray:
    pixels = cv2.GaussianBlur(rng.normal(128, 30, (64, 64)), (0, 0), 2) + rng.normal(0, 2, (64, 64))
    if spoilt:
        pixels[20:40, 30:36] = 255
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """An MVTec AD folder whose test pictures cannot be read."""
    rng = np.random.default_rng(0)
    root = tmp_path / "parts"
    for place in ("train/good", "test/good", "test/scratch"):
        (root / place).mkdir(parents=True)
    for index in range(GOOD):
        cv2.imwrite(str(root / f"train/good/{index:02}.png"), picture(rng))
    for place in ("test/good/a.png", "test/scratch/b.png"):
        (root / place).write_bytes(b"no picture")
    return root


def searched(parts: Path, *, limits: Limits | None = None, space: Space = ONE, progress: object = None) -> Outcome:
    model = parts.parent / "part.sight"
    return search(
        open_dataset(parts),
        model,
        limits or Limits(),
        folder=parts.parent / "search",
        space=space,
        progress=progress,  # type: ignore[arg-type]
    )


def test_everything_there_is_gets_tried_and_the_best_is_trained_on_all_good_pictures(parts: Path) -> None:
    found = searched(parts)
    assert min(found.attempts, key=lambda attempt: attempt.number).settings["dimensions"] == 64
    assert {attempt.settings["dimensions"] for attempt in found.attempts} == {32, 64, 128}
    assert found.chosen == found.attempts[0]
    assert all(found.chosen.merit >= attempt.merit - 1e-4 for attempt in found.attempts)
    assert found.trained.images == GOOD
    assert load(parts.parent / "part.sight").model_id == found.trained.bundle.model_id
    assert found.failures == ()


def test_no_picture_is_on_both_sides_and_painted_ones_say_so(parts: Path) -> None:
    material = prepare(open_dataset(parts), parts.parent, 0, 50.0, None)
    assert not {sample.path for sample in material.learn.samples} & set(material.good)
    assert len(material.learn.samples) + len(material.good) == GOOD
    assert material.painted
    assert len(material.defects) == len(material.good)
    assert all(is_synthetic(path) for path in material.defects)
    assert material.told == "8 good pictures held out and 8 painted defects"


def test_real_defects_of_the_training_split_are_preferred(parts: Path) -> None:
    rng = np.random.default_rng(1)
    rows = ["image,label,split", *(f"train/good/{i:02}.png,good,train" for i in range(GOOD))]
    for index in range(20):
        cv2.imwrite(str(parts / f"bad{index}.png"), picture(rng, spoilt=True))
        rows.append(f"bad{index}.png,scratch,train")
    listing = parts / "parts.csv"
    listing.write_text("\n".join(rows), "utf-8")
    material = prepare(open_dataset(listing), parts.parent, 0, 50.0, None)
    assert not material.painted
    assert {path.stem[:3] for path in material.defects} == {"bad"}


def break_off(parts: Path) -> None:
    """Search until the second trial's training is done."""

    class Broken(KeyboardInterrupt):
        pass

    def breaks(stage: str, done: int, total: int) -> None:
        if stage.startswith("trial 2") and done == total:
            raise Broken

    with pytest.raises(Broken):
        searched(parts, progress=breaks)


def test_a_search_that_broke_off_goes_on_where_it_was(parts: Path) -> None:
    break_off(parts)
    assert not (parts.parent / "part.sight").exists()
    stages = set()
    found = searched(parts, progress=lambda stage, done, total: stages.add(stage.split(" (")[0]))
    assert not stages & {"trial 1"}
    assert stages >= {"trial 2", "trial 3"}
    assert len(found.attempts) == 3
    assert sorted(path.name for path in (parts.parent / "search").iterdir()) == ["painted", "study.log"]


def test_time_is_counted_over_all_runs(parts: Path) -> None:
    first = searched(parts, limits=Limits(minutes=1e-6))
    assert len(first.attempts) == 1
    assert searched(parts, limits=Limits(minutes=1e-6)).attempts == first.attempts
    assert len(searched(parts, limits=Limits(minutes=10)).attempts) == 3


def kept(parts: Path) -> list[dict[str, Any]]:
    """What the search keeps beside each of its trials."""
    log = JournalStorage(JournalFileBackend(str(parts.parent / "search/study.log")))
    return [trial.user_attrs for trial in optuna.load_study(study_name="sightline", storage=log).get_trials()]


def test_the_time_of_an_interrupted_trial_counts(parts: Path) -> None:
    break_off(parts)
    one, lost = kept(parts)
    enough = (2 + 1.3 * GOOD / (GOOD - 8)) * one["result"]["seconds"]  # for another, if nothing had been lost
    found = searched(parts, limits=Limits(minutes=(enough + lost["seconds"] / 2) / 60))
    assert len(found.attempts) == 1


def test_the_time_of_failed_trials_counts(parts: Path) -> None:
    broken = parts.parent / "broken.onnx"
    broken.write_bytes(b"no network")
    space = Space(methods=("padim",), short_sides=(64,), backbones=(str(broken),))
    with pytest.raises(OptionError, match=r"the first failed: .*broken\.onnx"):
        searched(parts, space=space, limits=Limits(minutes=1e-6))
    assert len(kept(parts)) == 1  # of three


def test_limits_that_nothing_keeps_are_said_with_what_came_nearest(parts: Path) -> None:
    with pytest.raises(OptionError, match=r"nothing that was tried keeps 0.001 MB; the fastest took .* ms \(padim, 64"):
        searched(parts, limits=Limits(size_mb=0.001))
    assert not (parts.parent / "part.sight").exists()
    assert not (parts.parent / "search" / "final.sight").exists()


def test_only_what_keeps_the_limits_is_chosen(parts: Path) -> None:
    sizes = sorted(attempt.size_mb for attempt in searched(parts).attempts)
    found = searched(parts, limits=Limits(size_mb=(sizes[0] + sizes[1]) / 2))
    assert found.chosen.size_mb == sizes[0]
    assert found.trained.bundle.path.stat().st_size / 1e6 < sizes[1]


def test_the_folder_of_another_search_is_refused(parts: Path) -> None:
    searched(parts, limits=Limits(minutes=1e-6))
    with pytest.raises(OptionError, match="holds a search over other pictures or seeds"):
        searched(parts, limits=Limits(minutes=1e-6, seed=1))


def test_what_fails_is_kept_with_its_reason_and_the_search_goes_on(parts: Path) -> None:
    broken = parts.parent / "broken.onnx"
    broken.write_bytes(b"no network")
    found = searched(parts, space=Space(methods=("padim",), short_sides=(64,), backbones=(str(broken), SHIPPED)))
    assert len(found.attempts) == 3
    assert {failure.settings["backbone"] for failure in found.failures} == {str(broken)}
    assert all("broken.onnx" in failure.reason for failure in found.failures)


def test_too_few_good_pictures_are_refused(parts: Path) -> None:
    for path in itertools.islice((parts / "train/good").iterdir(), 10):
        path.unlink()
    with pytest.raises(DatasetError, match="has 16 good training pictures"):
        searched(parts)


def test_the_leaderboard_lists_every_attempt_and_fetches_nothing(parts: Path) -> None:
    found = searched(parts)
    page = write_leaderboard(parts.parent, found, Limits(size_mb=0.5))
    text = page.read_text("utf-8")
    assert text.count('<tr class="') == 3
    assert "//" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "painted onto good pictures" in text
    with (parts.parent / "leaderboard.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    assert [row["place"] for row in table] == ["1", "2", "3"]
    assert [row["chosen"] for row in table].count("True") == 1


def test_the_space_suits_pictures_and_time() -> None:
    assert space_for(50, 128, 5, ()).methods == ("patchcore", "padim")
    assert space_for(50, 128, 5, ()).short_sides == (192, 256)
    assert space_for(50, 2000, 5, ()).short_sides == (192, 256, 384, 512)
    assert "efficientad" in space_for(500, 256, 60, ()).methods
    assert space_for(50, 128, 5, [Path("a.onnx")]).first[0]["backbone"] == "a.onnx"


@pytest.mark.parametrize("limits", [{"minutes": 0.0}, {"latency_ms": -1.0}, {"size_mb": float("nan")}])
def test_limits_that_are_none_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="give a number above 0"):
        Limits(**limits)  # type: ignore[arg-type]
