"""The graph at its working size: the same answers, given pictures resized as it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.bundle import Bundle, load
from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import OptionError
from sightline.export.fixed_size import FixedSize, fixed_size
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector
from sightline.models.graph import open_session
from sightline.records import AnomalyMap, Frame
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train


def score(cut: FixedSize, frame: Frame) -> AnomalyMap:
    session = open_session(cut.graph)

    def run(image: np.ndarray) -> AnomalyMap:
        found = session.run(["score", "map"], {"image": image})
        return AnomalyMap(score=float(found[0]), values=found[1])

    return cut.scorer(run)(frame)


def test_scores_and_maps_are_the_models_own(shipped: Bundle, rendered: Dataset) -> None:
    cut, inspector = fixed_size(shipped, None, "a test"), Inspector(shipped)
    for sample in rendered.test[::4]:
        frame = read_frame(sample.path)
        mine, model = score(cut, frame), inspector.score(frame)
        assert mine.score == model.score
        np.testing.assert_array_equal(mine.values, model.values)


def test_a_grey_picture_is_judged_as_by_the_model(shipped: Bundle) -> None:
    frame = Frame(pixels=np.random.default_rng(0).integers(0, 256, (70, 90, 1), np.uint8))
    assert score(fixed_size(shipped, None, "a test"), frame).score == Inspector(shipped).score(frame).score


def test_16_bits_are_judged_as_by_the_model_and_lose_nothing_on_the_way(tmp_path: Path) -> None:
    write_dataset(tmp_path / "deep", PartConfig(size=64, bit_depth=16), Counts(good_train=8, good_test=2, per_defect=0))
    train(open_dataset(tmp_path / "deep"), tmp_path / "deep.sight", TrainConfig(size=(48, 48), bank=50))
    bundle = load(tmp_path / "deep.sight")
    cut = fixed_size(bundle, None, "a test")
    assert cut.dtype == "float32"
    frame = read_frame(tmp_path / "deep" / "test" / "good" / "000.png")
    assert score(cut, frame).score == Inspector(bundle).score(frame).score


def test_the_graph_takes_one_size_and_says_how_to_get_there(shipped: Bundle) -> None:
    cut = fixed_size(shipped, None, "a test")
    dims = cut.graph.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [64, 80, 3]
    assert cut.rule.startswith("image (64, 80, 3) uint8, RGB")


def test_pillow_resizes_as_the_rule_says(shipped: Bundle, rendered: Dataset) -> None:
    frame = read_frame(rendered.test[0].path)
    ours = fixed_size(shipped, None, "a test").frames()(frame).astype(int)
    rgb = np.broadcast_to(frame.pixels, (*frame.pixels.shape[:2], 3))
    theirs = np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).resize((80, 64), Image.Resampling.BILINEAR))
    assert np.abs(ours - theirs).max() <= 1


def test_a_model_with_depth_maps_is_refused(shipped: Bundle) -> None:
    manifest = replace(shipped.manifest, input=replace(shipped.manifest.input, depth=True))
    with pytest.raises(OptionError, match="takes depth maps, and a test does not"):
        fixed_size(replace(shipped, manifest=manifest), None, "a test")


def test_a_product_that_the_model_does_not_know_is_refused(shipped: Bundle) -> None:
    with pytest.raises(OptionError, match="was not trained on several products"):
        fixed_size(shipped, "bolt", "a test")
