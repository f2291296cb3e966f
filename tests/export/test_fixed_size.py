"""The graph at its working size: the same answers, given pictures resized as it says."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.errors import OptionError
from sightline.export.fixed_size import FixedSize, fixed_size
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector
from sightline.models.graph import open_session
from sightline.records import AnomalyMap, Frame


def score(cut: FixedSize, frame: Frame) -> AnomalyMap:
    session = open_session(cut.graph)

    def run(image: np.ndarray) -> tuple[float, np.ndarray]:
        found = session.run(["score", "map"], {"image": image})
        return float(found[0]), found[1]

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
