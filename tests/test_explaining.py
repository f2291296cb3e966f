"""What a part looked most like: the nearest good patch, from the picture that it says, whatever became of the model."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sightline.bundle import EXEMPLARS_HASH, Bundle, hashes_of, load, packed, save, save_changed
from sightline.datasets.opening import open_dataset
from sightline.errors import BundleError, OptionError
from sightline.explaining import MOST_EXPLAINED, SHOWN_PX, Explainer, why_not
from sightline.extending import ExtendConfig, extend
from sightline.imaging.writing import write_png
from sightline.inspector import Inspector
from sightline.joint_training import train_products
from sightline.models.exemplars import Exemplars, from_bytes
from sightline.models.features import FeatureConfig
from sightline.models.stored import stored_features
from sightline.models.window import from_bytes as window_from_bytes
from sightline.records import FloatArray, Frame, Pixels, Verdict
from sightline.training import TrainConfig, train

GRID = (8, 12)
CELLS = GRID[0] * GRID[1]


def part(seed: int) -> Pixels:
    """(64, 96) ribs, no two alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :96]
    ribs = 120 + 40 * np.sin(x / 7 + seed) * np.cos(y / 9) + rng.normal(0, 5, (64, 96))
    return np.asarray(ribs.clip(0, 255), np.uint8)


def spoilt(seed: int) -> Pixels:
    pixels = part(seed).copy()
    pixels[32:40, 64:80] = 255
    return pixels


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """With a backbone of one convolution, and a bank that takes all patches of twelve pictures."""
    kernel = np.random.default_rng(0).normal(0, 0.1, (12, 3, 8, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], strides=[8, 8]), helper.make_node("Tanh", ["y"], ["f"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, ["n", 12, "h8", "w8"])],
        [numpy_helper.from_array(kernel, "w")],
    )
    path = tmp_path_factory.mktemp("backbone") / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return TrainConfig(size=(64, 96), dimensions=8, bank=12 * CELLS, max_overkill=0.05, backbone=path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[range], Path]:
    root = tmp_path_factory.mktemp("pictures")

    def pictures(seeds: range) -> Path:
        place = root / f"{seeds.start}-{seeds.stop}"
        place.mkdir(exist_ok=True)
        for seed in seeds:
            write_png(place / f"{seed:03}.png", part(seed))
        return place

    return pictures


@pytest.fixture(scope="module")
def bundle(config: TrainConfig, folder: Callable[[range], Path], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("models") / "part.sight"
    return train(open_dataset(folder(range(12))), path, config).bundle


@pytest.fixture(scope="module")
def inspector(bundle: Bundle) -> Inspector:
    return Inspector(bundle, threads=1)


def frame(pixels: Pixels) -> Frame:
    return Frame(pixels=pixels[:, :, None])


def album(bundle: Bundle) -> Exemplars:
    assert bundle.exemplars is not None
    return from_bytes(bundle.exemplars)


def patches_of(bundle: Bundle, seed: int) -> FloatArray:
    features = stored_features(bundle.graph, FeatureConfig(height=64, width=96, dimensions=8), GRID)
    return next(features.extract([frame(part(seed))], [0]))


def with_album(bundle: Bundle, path: Path, exemplars: bytes | None) -> Bundle:
    """The model with another album, or none, and hashes that fit."""
    config = {key: value for key, value in bundle.manifest.provenance.config.items() if key != EXEMPLARS_HASH}
    provenance = replace(bundle.manifest.provenance, config={**config, **hashes_of(None, exemplars)})
    save(path, bundle.graph, replace(bundle.manifest, provenance=provenance), bundle.window, exemplars=exemplars)
    return load(path)


@pytest.mark.parametrize("seed", [0, 7, 99])
def test_the_entry_found_is_the_nearest_of_all(bundle: Bundle, inspector: Inspector, seed: int) -> None:
    assert bundle.window is not None
    count = bundle.manifest.provenance.config["bank"]
    assert isinstance(count, int)
    bank = window_from_bytes(bundle.window).memory.pool.patches[:count].astype(np.float64)
    explainer = inspector.explainer()
    kept = album(bundle).places[:count] >= 0
    for patch in patches_of(bundle, seed)[::7]:
        distances = np.where(kept, np.sqrt(((bank - patch) ** 2).sum(axis=1)), np.inf)
        entry, distance = explainer.nearest(patch)
        assert distance == pytest.approx(distances.min(), abs=1e-4)
        assert distances[entry] == pytest.approx(distances.min(), abs=1e-4)


def test_a_good_picture_that_was_learnt_is_explained_by_itself(bundle: Bundle, inspector: Inspector) -> None:
    for seed in (0, 5, 11):
        found = inspector.explain(frame(part(seed)), inspector.inspect(part(seed)))
        assert len(found) == 1  # nothing is marked in it, so its most unusual place
        assert found[0].source == f"{seed:03}.png"
        assert found[0].distance == pytest.approx(0, abs=1e-3)
        assert found[0].part_place == found[0].good_place
        assert np.abs(found[0].part.astype(int) - found[0].good).mean() < 12  # but for what WebP loses


def test_a_defect_is_beside_the_good_place_and_marked_where_it_is(inspector: Inspector) -> None:
    judged = inspector.inspect(spoilt(50))
    assert judged.verdict is Verdict.REJECT
    found = inspector.explain(frame(spoilt(50)), judged)
    assert 1 <= len(found) <= MOST_EXPLAINED
    assert [one.region for one in found] == [defect.box for defect in judged.defects[: len(found)]]
    assert [one.peak for one in found] == pytest.approx([defect.peak for defect in judged.defects[: len(found)]])
    worst = found[0]
    assert worst.distance > 0.1
    assert worst.part.shape == worst.good.shape == (SHOWN_PX, SHOWN_PX, 3)
    place = worst.part_place
    inside = worst.part[place.y : place.y + place.height, place.x : place.x + place.width]
    assert inside.mean() > 220  # the white spot
    assert worst.good.max() < 230  # no good part has one
    assert (place.width, place.height) == (SHOWN_PX // 8, SHOWN_PX // 8)


def test_explaining_changes_no_judgement(bundle: Bundle) -> None:
    once, again = Inspector(bundle), Inspector(bundle)
    again.explain(frame(spoilt(50)), again.inspect(spoilt(50)))
    first, second = once.inspect(spoilt(50)), again.inspect(spoilt(50))
    assert first.score == second.score
    assert first.map is not None
    assert second.map is not None
    assert np.array_equal(first.map, second.map)


def test_a_fault_explains_nothing(inspector: Inspector) -> None:
    judged = inspector.inspect(part(50))
    fault = replace(judged, verdict=Verdict.FAULT, fault="why", score=None, map=None, defects=())
    assert inspector.explain(frame(part(50)), fault) == ()


def test_a_model_that_forgets_and_learns_still_says_where_each_patch_is_from(
    bundle: Bundle, folder: Callable[[range], Path], tmp_path: Path
) -> None:
    """Twice, with a window of ten: pictures 12 to 15 come, then 16 and 17."""
    model = bundle
    for seeds in (range(12, 16), range(16, 18)):
        path = tmp_path / f"{seeds.start}.sight"
        model = extend(open_dataset(folder(seeds)), model.path, path, ExtendConfig(window=10)).bundle
    kept = album(model)
    assert model.window is not None
    window = window_from_bytes(model.window)
    pool = window.memory.pool
    names = {hashlib.sha256(part(seed).tobytes()).hexdigest(): seed for seed in range(18)}
    features = {seed: patches_of(model, seed) for seed in range(8, 18)}
    assert len(kept.cells) == len(pool.patches)
    assert (kept.places >= 0).all()
    seeds_seen = set()
    for row, (owner, cell, place) in enumerate(zip(pool.owners, kept.cells, kept.places, strict=True)):
        seed = names[window.images[owner]]
        seeds_seen.add(seed)
        assert kept.excerpts[place].name == f"{seed:03}.png"
        np.testing.assert_allclose(features[seed][cell], pool.patches[row], atol=1e-4)
    assert seeds_seen == set(range(8, 18))
    first = {excerpt.name: excerpt.content for excerpt in album(bundle).excerpts}
    assert all(one.content in [e.content for e in album(bundle).excerpts] for one in kept.excerpts if one.name in first)


def test_a_model_without_an_album_says_so_and_learns_one_from_what_is_added(
    config: TrainConfig, folder: Callable[[range], Path], tmp_path: Path
) -> None:
    data = open_dataset(folder(range(12)))
    old = with_album(train(data, tmp_path / "m.sight", replace(config, bank=200)).bundle, tmp_path / "old.sight", None)
    with pytest.raises(OptionError, match=r"this model does not keep its good pictures; train again\.$") as caught:
        Inspector(old).explain(frame(part(1)), Inspector(old).inspect(part(1)))
    assert str(caught.value).isprintable()
    extended = extend(open_dataset(folder(range(12, 16))), old.path, tmp_path / "new.sight", ExtendConfig()).bundle
    kept = album(extended)
    assert {excerpt.name for excerpt in kept.excerpts} <= {f"{seed:03}.png" for seed in range(12, 16)}
    assert (kept.cells[kept.places < 0] == -1).all()
    found = Inspector(extended).explain(frame(part(13)), Inspector(extended).inspect(part(13)))
    assert found[0].source in {excerpt.name for excerpt in kept.excerpts}


def test_a_missing_or_changed_album_is_one_line_and_a_changed_threshold_keeps_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"has no exemplars\.bin, which its manifest names"):
        packed(bundle.graph, bundle.manifest, bundle.window)
    assert bundle.exemplars is not None
    with pytest.raises(BundleError, match=r"exemplars\.bin is not the album of good pictures the manifest names"):
        packed(bundle.graph, bundle.manifest, bundle.window, exemplars=bundle.exemplars + b"\0")
    thresholds = replace(bundle.manifest.thresholds, reject=123.0)
    save_changed(tmp_path / "other.sight", bundle, replace(bundle.manifest, thresholds=thresholds))
    assert load(tmp_path / "other.sight").exemplars == bundle.exemplars


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda whole: b"", "does not hold the pieces of good pictures", id="empty"),
        pytest.param(lambda whole: whole[:-9], "do not fit together", id="cut"),
        pytest.param(lambda whole: from_bytes(whole).first(3).to_bytes(), "no pieces of good pictures for", id="short"),
    ],
)
def test_an_album_that_cannot_be_is_told_with_the_file_and_the_cure(
    bundle: Bundle, tmp_path: Path, spoil: Callable[[bytes], bytes], words: str
) -> None:
    assert bundle.exemplars is not None
    bad = with_album(bundle, tmp_path / "bad.sight", spoil(bundle.exemplars))
    assert Inspector(bad).inspect(part(0)).verdict is Verdict.PASS  # it judges all the same
    with pytest.raises(BundleError, match=words) as caught:
        Explainer(bad)
    assert str(caught.value).startswith(str(bad.path))
    assert "train again" in str(caught.value)


def test_a_damaged_piece_is_told_when_it_is_shown(bundle: Bundle, tmp_path: Path) -> None:
    kept = album(bundle)
    broken = replace(kept, excerpts=tuple(replace(one, content=one.content[:50]) for one in kept.excerpts)).to_bytes()
    bad = Inspector(with_album(bundle, tmp_path / "bad.sight", broken))
    with pytest.raises(BundleError, match="damaged piece of a good picture"):
        bad.explain(frame(part(0)), bad.inspect(part(0)))


def test_several_products_with_one_bank_explain_and_with_a_bank_each_say_why_not(
    config: TrainConfig, folder: Callable[[range], Path], tmp_path: Path
) -> None:
    datasets = {"a": open_dataset(folder(range(20, 26))), "b": open_dataset(folder(range(30, 36)))}
    small = replace(config, bank=200)
    unified = train_products(datasets, tmp_path / "one.sight", "unified", small).bundle
    inspector = Inspector(unified)
    assert len(album(unified).cells) == 200  # of the bank alone, as it is not extended
    assert inspector.explain(frame(part(31)), inspector.inspect(part(31)))[0].source.endswith(".png")
    separate = train_products(datasets, tmp_path / "two.sight", "separate", small).bundle
    assert separate.exemplars is None
    assert why_not(separate).startswith("a model with a bank for each product keeps no good pictures")


def red(grey: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Larger, and in one colour."""
    large = cv2.resize(grey, (384, 256))
    return np.stack([large, large // 2, large // 4], axis=2).astype(np.uint8)


def test_pieces_of_larger_colour_pictures_come_from_the_right_place(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(6):
        write_png(tmp_path / "in" / f"{seed}.png", red(part(seed)))
    inspector = Inspector(train(open_dataset(tmp_path / "in"), tmp_path / "m.sight", config).bundle)
    colour = red(part(3))
    (found,) = inspector.explain(Frame(pixels=colour), inspector.inspect(colour))
    assert found.source == "3.png"
    assert np.abs(found.part.astype(int) - found.good).mean() < 12
    assert found.part[..., 0].mean() > 1.5 * found.part[..., 1].mean()  # red stays red
