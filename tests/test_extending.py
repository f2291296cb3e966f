"""Extending: new looks are learnt, the oldest forgotten, every image calibrated by a bank without it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import sightline
from sightline.bundle import WINDOW_HASH, Bundle, load, save
from sightline.datasets.opening import open_dataset
from sightline.errors import BundleError, DatasetError, InspectionError, OptionError
from sightline.extending import ExtendConfig, extend
from sightline.imaging.writing import write_png
from sightline.models.features import FeatureConfig
from sightline.models.stored import stored_features
from sightline.models.window import Prior, Window, from_bytes
from sightline.records import Frame, Verdict
from sightline.training import TrainConfig, Trained, train

Pixels = NDArray[np.uint8]
MakeFolder = Callable[[str, range, float], Path]


def part(seed: int, look: float = 0) -> Pixels:
    """A ribbed surface; `look` is the strength of a second pattern on it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :96]
    ribs = 120 + 40 * np.sin(x / 7) * np.cos(y / 9) + look * ((x // 8 + y // 8) % 2)
    return np.asarray((ribs + rng.normal(0, 5, (64, 96))).clip(0, 255), np.uint8)


def bad_part(seed: int, look: float = 0) -> Pixels:
    pixels = part(seed, look)
    pixels[30:50, 60:85] = 255
    return pixels


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    root = tmp_path_factory.mktemp("pictures")

    def pictures(name: str, seeds: range, look: float) -> Path:
        for seed in seeds:
            (root / name).mkdir(exist_ok=True)
            write_png(root / name / f"{seed:03}.png", part(seed, look))
        return root / name

    return pictures


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A small model with a small foreign backbone: one convolution of stride 8, so that training takes a moment."""
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
    return TrainConfig(size=(64, 96), dimensions=8, bank=200, max_overkill=0.05, backbone=path)


@pytest.fixture(scope="module")
def first(make: MakeFolder, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of twelve parts, for reading only."""
    path = tmp_path_factory.mktemp("models") / "first.sight"
    train(open_dataset(make("first", range(12), 0)), path, config)
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "next.sight"


def extended(folder: Path, model: Path, output: Path, **options: Any) -> Trained:
    return extend(open_dataset(folder), model, output, ExtendConfig(**options))


def window_of(model: Path | Bundle) -> Window:
    content = (load(model) if isinstance(model, Path) else model).window
    assert content is not None
    return from_bytes(content)


def prior_of(model: Path | Bundle) -> Prior:
    prior = window_of(model).memory.prior
    assert prior is not None
    return prior


def new_patches(model: Path, seeds: range, look: float) -> NDArray[np.float64]:
    """(n, P, D) of the pictures, by the model's own features."""
    features = stored_features(load(model).graph, FeatureConfig(height=64, width=96, dimensions=8), (8, 12))
    frames = [Frame(pixels=part(seed, look)[:, :, None]) for seed in seeds]
    return np.stack(list(features.extract(frames, range(len(frames))))).astype(np.float64)


def hashes(seeds: range, look: float = 0) -> list[str]:
    """Of the pictures' pixels as they are decoded, (H, W, 1)."""
    return [hashlib.sha256(part(seed, look).tobytes()).hexdigest() for seed in seeds]


def verdicts(model: Path, pictures: list[Pixels]) -> set[Verdict]:
    inspector = sightline.load(model)
    return {inspector.inspect(pixels).verdict for pixels in pictures}


def score(model: Path, pixels: Pixels) -> float:
    found = sightline.load(model).inspect(pixels).score
    assert found is not None
    return found


# --- what comes out


def test_a_first_model_remembers_its_images_in_order_with_the_scores_it_is_calibrated_by(first: Path) -> None:
    window, manifest = window_of(first), load(first).manifest
    assert list(window.images) == hashes(range(12))
    assert sorted(window.scores.tolist()) == list(manifest.calibration.good_scores)
    assert window.memory.pool.patches.shape == (400, 8)  # twice the bank
    assert set(window.memory.pool.owners.tolist()) <= set(range(12))


def test_a_new_look_is_learnt_the_old_one_stays_good_and_defects_are_still_found(
    first: Path, make: MakeFolder, output: Path
) -> None:
    new = [part(seed, 60) for seed in range(300, 306)]
    assert verdicts(first, new) == {Verdict.REJECT}
    result = extended(make("look", range(100, 120), 60), first, output)
    assert result.images == 32
    assert verdicts(output, new) == {Verdict.PASS}
    assert verdicts(output, [part(seed) for seed in range(12)]) == {Verdict.PASS}
    assert verdicts(output, [bad_part(400), bad_part(401, 60)]) == {Verdict.REJECT}


def test_pictures_that_the_old_model_rejects_are_pointed_at(first: Path, make: MakeFolder, output: Path) -> None:
    result = extended(make("look", range(100, 120), 60), first, output)
    assert len(result.unusual) == 10
    assert result.warnings[0].startswith(
        f"20 of the added pictures would have been rejected by model {load(first).model_id}"
    )


@pytest.fixture
def plain(make: MakeFolder, config: TrainConfig, tmp_path: Path) -> Path:
    """The first model, but by the bank alone."""
    path = tmp_path / "plain.sight"
    train(open_dataset(make("first", range(12), 0)), path, replace(config, position_prior=False))
    return path


def test_images_of_a_new_look_are_calibrated_by_one_another_and_never_by_their_own_patches(
    plain: Path, make: MakeFolder, output: Path
) -> None:
    result = extended(make("look", range(100, 120), 60), plain, output, bank=5000)  # every patch is kept
    window = window_of(result.bundle)
    assert np.array_equal(window.scores[:12], window_of(plain).scores)
    new = [part(seed, 60) for seed in range(100, 120)]
    old_scores, new_scores = ([score(model, pixels) for pixels in new] for model in (plain, output))
    assert window.scores[12:].max() < 0.5 * min(old_scores)  # the others' look is known
    assert window.scores[12:].min() > 20 * max(new_scores)  # but not the image itself


def test_with_a_prior_too_each_new_image_scores_higher_than_by_the_model_that_knows_it(
    first: Path, make: MakeFolder, output: Path
) -> None:
    window = window_of(extended(make("look", range(100, 120), 60), first, output, bank=5000).bundle)
    assert np.array_equal(window.scores[:12], window_of(first).scores)
    knowing = [score(output, part(seed, 60)) for seed in range(100, 120)]
    assert (window.scores[12:] > knowing).all()
    assert window.scores[12:].max() < min(score(first, part(seed, 60)) for seed in range(100, 120))


def test_a_single_image_is_scored_by_what_was_known_before_it(first: Path, make: MakeFolder, output: Path) -> None:
    bundle = extended(make("single", range(100, 101), 60), first, output).bundle
    own = window_of(bundle).scores[-1]
    assert own == pytest.approx(score(first, part(100, 60)), rel=0.05)
    assert bundle.manifest.calibration.source == (
        "1 added good image, scored before it was added; 12 scores remembered from when their images were learnt, each "
        "by a bank without its image"
    )


def test_the_window_forgets_the_oldest_images_their_scores_and_their_patches(
    first: Path, make: MakeFolder, output: Path
) -> None:
    window = window_of(extended(make("later", range(100, 108), 0), first, output, window=15).bundle)
    assert list(window.images) == [*hashes(range(5, 12)), *hashes(range(100, 108))]
    assert len(window.scores) == 15
    old = window_of(first).memory.pool
    known = {patch.tobytes(): owner for patch, owner in zip(old.patches, old.owners, strict=True)}
    kept = [known.get(patch.tobytes()) for patch in window.memory.pool.patches]
    for owner, before in zip(window.memory.pool.owners, kept, strict=True):
        assert before is None if owner >= 7 else before == owner + 5
    assert any(before is not None for before in kept)


def test_a_window_as_large_as_what_is_added_forgets_the_whole_past(first: Path, make: MakeFolder, output: Path) -> None:
    result = extended(make("look", range(100, 120), 60), first, output, window=20)
    old, now = window_of(first).memory.pool, window_of(result.bundle)
    assert list(now.images) == hashes(range(100, 120), 60)
    assert not {patch.tobytes() for patch in old.patches} & {patch.tobytes() for patch in now.memory.pool.patches}
    assert verdicts(output, [part(seed) for seed in range(12)]) == {Verdict.REJECT}
    assert result.bundle.manifest.calibration.source == "5-fold cross-calibration of 20 added good images"


def test_of_more_new_pictures_than_the_window_holds_the_last_are_learnt(
    first: Path, make: MakeFolder, output: Path
) -> None:
    result = extended(make("look", range(100, 120), 60), first, output, window=8)
    assert list(window_of(result.bundle).images) == hashes(range(112, 120), 60)
    assert "12 of 20 new pictures left out: the window of 8 takes the last ones." in result.warnings


def test_the_prior_keeps_its_weights_and_takes_in_the_new_images(first: Path, make: MakeFolder, output: Path) -> None:
    before, after = prior_of(first), prior_of(extended(make("look", range(100, 120), 60), first, output).bundle)
    assert after.weights == before.weights
    assert (before.moments.count, after.moments.count) == (12, 32)
    new = new_patches(first, range(100, 120), 60)
    total, squares = new.sum(axis=0), np.einsum("npd,npe->pde", new, new)
    np.testing.assert_allclose(after.moments.total, before.moments.total + total, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(after.moments.squares, before.moments.squares + squares, rtol=1e-4, atol=1e-2)


def test_forgetting_fades_the_prior_by_the_share_that_goes(first: Path, make: MakeFolder, output: Path) -> None:
    later = make("later", range(100, 108), 0)
    before, after = prior_of(first), prior_of(extended(later, first, output, window=15).bundle)
    new = new_patches(first, range(100, 108), 0)
    assert after.moments.count == pytest.approx(15)  # 12, of which 5 go, and 8
    expected = 7 / 12 * before.moments.total + new.sum(axis=0)
    np.testing.assert_allclose(after.moments.total, expected, rtol=1e-4, atol=1e-3)
    assert after.weights == before.weights


def test_a_model_without_a_prior_is_extended_without(plain: Path, make: MakeFolder, output: Path) -> None:
    bundle = extended(make("later", range(100, 108), 0), plain, output).bundle
    assert window_of(bundle).memory.prior is None
    assert bundle.manifest.provenance.config["position_prior"] is False


def test_the_manifest_tells_where_the_model_came_from(first: Path, make: MakeFolder, output: Path) -> None:
    before = load(first)
    manifest = extended(make("later", range(100, 108), 0), first, output, window=15).bundle.manifest
    made = manifest.provenance
    assert (made.config["extended_from"], made.config["added"], made.config["forgotten"]) == (before.model_id, 8, 5)
    assert (made.config["extended_with"], made.dataset, made.images) == ("later", "first", 15)
    assert made.config["explained_variance"] == before.manifest.provenance.config["explained_variance"]
    assert len(manifest.calibration.good_scores) == 15
    assert (manifest.working_size, made.backbone_sha256) == (
        before.manifest.working_size,
        before.manifest.provenance.backbone_sha256,
    )
    together = b"".join(bytes.fromhex(one) for one in [*hashes(range(5, 12)), *hashes(range(100, 108))])
    assert made.dataset_sha256 == hashlib.sha256(together).hexdigest()


def test_the_bank_and_the_rate_are_the_old_models_unless_asked_for(first: Path, make: MakeFolder, output: Path) -> None:
    folder = make("later", range(100, 108), 0)
    made = extended(folder, first, output).bundle.manifest.provenance.config
    assert (made["bank"], made["max_overkill"]) == (200, 0.05)
    made = extended(folder, first, output, bank=90, max_overkill=0.2).bundle.manifest.provenance.config
    assert (made["bank"], made["max_overkill"]) == (90, 0.2)


def test_equal_input_gives_equal_bytes(first: Path, make: MakeFolder, output: Path) -> None:
    folder = make("later", range(100, 108), 0)
    contents = [extended(folder, first, output).bundle.path.read_bytes() for _ in range(2)]
    assert contents[0] == contents[1]


def test_extending_again_and_again_keeps_the_features_and_the_graph_from_growing(
    first: Path, make: MakeFolder, tmp_path: Path
) -> None:
    model, nodes = first, []
    for step in range(3):
        following = tmp_path / f"{step}.sight"
        extended(make(f"step{step}", range(100 + 8 * step, 108 + 8 * step), 0), model, following, window=12)
        model = following
        nodes.append(
            [(node.op_type, *node.output) for node in onnx.load_model_from_string(load(model).graph).graph.node]
        )
    assert nodes[0] == nodes[1] == nodes[2]
    assert score(model, part(120)) == pytest.approx(
        window_of(model).scores.mean(), rel=1
    )  # of the same order: the patches of three extensions are by the same features


def test_extending_in_steps_ends_much_like_extending_at_once(first: Path, make: MakeFolder, tmp_path: Path) -> None:
    at_once, half, steps = (tmp_path / f"{name}.sight" for name in ("once", "half", "steps"))
    extended(make("both", range(100, 120), 60), first, at_once)
    extended(make("one", range(100, 110), 60), first, half)
    extended(make("two", range(110, 120), 60), half, steps)
    assert window_of(steps).images == window_of(at_once).images
    scores = [[score(model, part(seed, 60)) for seed in range(300, 306)] for model in (at_once, steps)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0.25)


# --- what is refused


def refusal(folder: Path, model: Path, output: Path, kind: type[InspectionError], **options: Any) -> str:
    """The message, seen to be one line, to end, and to leave nothing behind."""
    with pytest.raises(InspectionError) as caught:
        extended(folder, model, output, **options)
    assert type(caught.value) is kind, caught.value
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert list(output.parent.iterdir()) == []
    return message


def test_pictures_that_are_known_are_left_out_and_said_so(first: Path, make: MakeFolder, output: Path) -> None:
    make("mixed", range(8, 12), 0)
    result = extended(make("mixed", range(100, 103), 0), first, output)
    assert result.images == 15
    assert "4 of 7 pictures left out: known to the model." in result.warnings
    output.unlink()
    assert "all 12 good pictures are known" in refusal(make("first", range(12), 0), first, output, DatasetError)


def test_a_model_without_a_window_is_told_to_be_trained_again(
    first: Path, make: MakeFolder, output: Path, tmp_path: Path
) -> None:
    before = load(first)
    config = {k: value for k, value in before.manifest.provenance.config.items() if k != WINDOW_HASH}
    manifest = replace(before.manifest, provenance=replace(before.manifest.provenance, config=config))
    save(tmp_path / "old.sight", before.graph, manifest, exemplars=before.exemplars)
    message = refusal(make("later", range(100, 108), 0), tmp_path / "old.sight", output, BundleError)
    assert "was made by an older Sightline; train again with this one, and the model can be extended" in message


def test_a_window_that_cannot_be_is_refused_though_its_hash_fits(
    first: Path, make: MakeFolder, output: Path, tmp_path: Path
) -> None:
    before = load(first)
    assert before.window is not None
    damaged = before.window[:-1]
    config = {**before.manifest.provenance.config, WINDOW_HASH: hashlib.sha256(damaged).hexdigest()}
    manifest = replace(before.manifest, provenance=replace(before.manifest.provenance, config=config))
    save(tmp_path / "damaged.sight", before.graph, manifest, damaged, exemplars=before.exemplars)
    message = refusal(make("later", range(100, 108), 0), tmp_path / "damaged.sight", output, BundleError)
    assert message.startswith(f"{tmp_path / 'damaged.sight'}: has a window of images of")


def test_a_padim_model_cannot_be_extended(make: MakeFolder, config: TrainConfig, output: Path, tmp_path: Path) -> None:
    train(open_dataset(make("first", range(12), 0)), tmp_path / "p.sight", replace(config, method="padim"))
    message = refusal(make("later", range(100, 108), 0), tmp_path / "p.sight", output, OptionError)
    assert "is a padim model; only patchcore can be extended" in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": (96, 96)}, "its working size (height, width) is (64, 96), not (96, 96)"),
        ({"tile": 96}, "its tile is None, not 96"),
        ({"dimensions": 9}, "its number of dimensions is 8, not 9"),
        ({"bit_depth": 12}, "its bit depth is 8, not 12"),
        ({"position_prior": False}, "its prior on position is True, not False"),
        ({"seed": 1}, "its seed is 0, not 1"),
        ({"method": "padim"}, "its method is patchcore, not padim"),
        ({"memory_mib": 100}, "memory 100 MiB is too little"),
    ],
    ids=str,
)
def test_what_the_model_has_otherwise_is_refused(
    first: Path, make: MakeFolder, output: Path, options: dict[str, Any], words: str
) -> None:
    assert words in refusal(make("later", range(100, 108), 0), first, output, OptionError, **options)


def test_another_backbone_is_refused_and_the_models_own_accepted(
    first: Path, make: MakeFolder, config: TrainConfig, output: Path, tmp_path: Path
) -> None:
    folder = make("later", range(100, 108), 0)
    assert config.backbone is not None
    other = onnx.load(config.backbone)
    other.doc_string = "another"
    onnx.save(other, tmp_path / "other.onnx")
    assert "its backbone (SHA-256) is" in refusal(folder, first, output, OptionError, backbone=tmp_path / "other.onnx")
    assert extended(folder, first, output, backbone=config.backbone).images == 20


def test_pictures_of_another_depth_are_refused(first: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for seed in range(5):
        assert cv2.imwrite(str(tmp_path / "deep" / f"{seed}.png"), 16 * part(seed).astype(np.uint16))
    message = refusal(tmp_path / "deep", first, output, DatasetError)
    assert "the pictures have 16 bits and values up to" in message


@pytest.mark.parametrize(
    ("options", "words"), [({"window": 4}, "window of 4"), ({"max_overkill": 1.0}, "overkill rate")]
)
def test_options_that_cannot_work_are_refused_before_anything_is_read(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        ExtendConfig(**options)


def test_thresholds_that_were_set_by_calibrate_are_said_to_be_lost(
    first: Path, make: MakeFolder, output: Path, tmp_path: Path
) -> None:
    before = load(first)
    thresholds = replace(before.manifest.thresholds, review=before.manifest.thresholds.reject - 1)
    manifest = replace(before.manifest, thresholds=thresholds)
    save(tmp_path / "reviewed.sight", before.graph, manifest, before.window, exemplars=before.exemplars)
    result = extended(make("later", range(100, 108), 0), tmp_path / "reviewed.sight", output)
    assert "the thresholds of the old model were set by calibrate; set those of the new one as well." in result.warnings
    plain = extended(make("later", range(100, 108), 0), first, output)
    assert not [warning for warning in plain.warnings if "calibrate" in warning]
