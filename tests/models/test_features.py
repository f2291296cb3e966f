"""Frames to patches: the same in one piece and in tiles, in 8 bits and in 12, in grey and in RGB."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from sightline.errors import FrameError, OptionError
from sightline.models.backbone import Backbone
from sightline.models.features import (
    MOST_SIDE_PX,
    TILE_CONTEXT_PX,
    FeatureConfig,
    Features,
    check_sizes,
    fit_features,
    image_input,
    run_image,
    tile_spans,
)
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray, Frame

MakePart = Callable[..., Frame]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)


def patches_of(features: Features, frame: Frame) -> FloatArray:
    return next(features.extract([frame], [0]))


def with_config(features: Features, config: FeatureConfig) -> Features:
    """The same projection looked through in another way."""
    return Features(config=config, backbone=features.backbone, projection=features.projection)


# --- tiles


@st.composite
def tilings(draw: st.DrawFn) -> tuple[int, int, int]:
    """(length, tile, multiple), all that `check_sizes` lets through."""
    multiple = draw(st.sampled_from([4, 8, 16, 32, 64, 128]))
    length = multiple * draw(st.integers(2, 4000 // multiple))
    context = -(-TILE_CONTEXT_PX // multiple) * multiple
    return length, 2 * context + multiple * draw(st.integers(1, 20)), multiple


@given(tilings())
@settings(max_examples=300, deadline=None)
def test_tiles_answer_for_every_pixel_once_and_see_what_surrounds_it(tiling: tuple[int, int, int]) -> None:
    length, tile, multiple = tiling
    spans = tile_spans(length, tile, multiple)
    assert spans[0].core_start == spans[0].start == 0
    assert spans[-1].core_stop == spans[-1].stop == length
    for left, right in pairwise(spans):
        assert left.core_stop == right.core_start  # disjoint, and nothing between them
        assert left.stop - left.core_stop >= TILE_CONTEXT_PX
        assert right.core_start - right.start >= TILE_CONTEXT_PX
    for span in spans:
        assert span.start <= span.core_start < span.core_stop <= span.stop
        assert span.stop - span.start == min(tile, length)
        assert not any(edge % multiple for edge in (span.start, span.stop, span.core_start, span.core_stop))


def test_tiles_of_a_frame_worked_out_by_hand() -> None:
    # 160 px by tiles of 96: starts 0, 32, 64, as 96 - 2 x 32 px are gained by each; edges halfway
    spans = tile_spans(160, 96, 16)
    assert [(s.start, s.stop) for s in spans] == [(0, 96), (32, 128), (64, 160)]
    assert [(s.core_start, s.core_stop) for s in spans] == [(0, 64), (64, 96), (96, 160)]


def test_a_tile_as_large_as_the_frame_is_the_frame() -> None:
    (span,) = tile_spans(96, 96, 16)
    assert (span.start, span.core_start, span.core_stop, span.stop) == (0, 0, 96, 96)


@pytest.mark.parametrize(
    ("height", "width", "tile"),
    [(128, 192, 96), (160, 160, 80), (96, 256, 128), (64, 208, 112), (64, 96, 512)],
)
def test_tiles_give_the_patches_of_the_whole_where_a_cell_sees_only_itself(
    patchy: Backbone, parts: list[Frame], height: int, width: int, tile: int
) -> None:
    whole = fit_features(parts, patchy, FeatureConfig(height=height, width=width, dimensions=8))
    tiled = with_config(whole, FeatureConfig(height=height, width=width, dimensions=8, tile=tile))
    patches = patches_of(tiled, parts[0])
    assert patches.shape == ((height // 8) * (width // 8), 8)
    # enlarging the coarser map reaches less far than the context, so not even the seams differ
    np.testing.assert_allclose(patches, patches_of(whole, parts[0]), atol=1e-5)


def test_tiles_of_the_shipped_backbone_differ_little_from_the_whole(shipped: Backbone, parts: list[Frame]) -> None:
    size = FeatureConfig(height=128, width=192, dimensions=8)
    whole = fit_features(parts, shipped, size)
    tiled = with_config(whole, FeatureConfig(height=128, width=192, dimensions=8, tile=112))
    a, b = patches_of(whole, parts[0]), patches_of(tiled, parts[0])
    # its receptive field is wider than the context, so seams do move the patches beside them
    assert np.linalg.norm(a - b, axis=1).mean() < 0.25 * np.linalg.norm(a - a.mean(axis=0), axis=1).mean()


# --- sizes


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (FeatureConfig(height=100, width=96), "height 100 px .* use a multiple of 16, such as 96"),
        (FeatureConfig(height=64, width=300), "width 300 px .* use a multiple of 16, such as 304"),
        (FeatureConfig(height=16, width=64), "such as 32"),
        (FeatureConfig(height=0, width=64), "such as 32"),
        (FeatureConfig(height=64, width=-64), "such as 32"),
        (FeatureConfig(tile=100), "tile 100 px does not suit"),
        (FeatureConfig(tile=64), "tile 64 px is too small; use at least 80"),
    ],
    ids=["height", "width", "one cell", "zero", "negative", "tile", "no room in a tile"],
)  # fmt: skip
def test_a_size_that_does_not_suit_the_backbone_is_refused_with_one_that_does(
    patchy: Backbone, parts: list[Frame], config: FeatureConfig, expected: str
) -> None:
    with pytest.raises(OptionError, match=expected):
        fit_features(parts, patchy, config)


def test_the_smallest_sizes_that_are_allowed_work(patchy: Backbone, parts: list[Frame]) -> None:
    check_sizes(FeatureConfig(height=32, width=32, tile=80), patchy)
    features = fit_features(parts, patchy, FeatureConfig(height=32, width=32, dimensions=8))
    assert patches_of(features, parts[0]).shape == (16, 8)


def test_no_dimensions_are_refused() -> None:
    with pytest.raises(OptionError, match="dimensions must be at least 1, got 0"):
        FeatureConfig(dimensions=0)


# --- one scale for pictures of many shapes


SCALED = FeatureConfig(height=64, width=64, scale=0.5, dimensions=8)


def seen(features: Features, pixels: NDArray[np.uint8]) -> FloatArray:
    """(1, 3, h, w), the very pixels that reach the backbone."""
    model = features.model()
    (name,) = [node.output[0] for node in model.graph.node if node.op_type == "Expand"]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]))
    found: FloatArray = open_session(model).run([name], {"image": pixels})[0]
    return found


@pytest.fixture(scope="module")
def scaled(patchy: Backbone, parts: list[Frame]) -> Features:
    return fit_features(parts, patchy, SCALED)


def test_a_picture_twice_as_wide_is_looked_at_at_the_same_scale(scaled: Features, part: MakePart) -> None:
    pixels = np.asarray(part(1, 128, 128).pixels, np.uint8)
    single, double = seen(scaled, pixels), seen(scaled, np.concatenate([pixels, pixels], axis=1))
    assert (single.shape, double.shape) == ((1, 3, 64, 64), (1, 3, 64, 128))
    np.testing.assert_array_equal(double[..., :62], single[..., :62])  # all but what is mixed at the seam
    np.testing.assert_array_equal(double[..., 66:], single[..., 2:])


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        pytest.param(1, 1, (64, 64), id="a single pixel"),
        pytest.param(20, 300, (64, 144), id="150 on a multiple of 16"),
        pytest.param(200, 9000, (96, MOST_SIDE_PX), id="too wide"),
        pytest.param(9000, 2, (MOST_SIDE_PX, 64), id="too high"),
    ],
)
def test_what_the_backbone_sees_is_bounded_whatever_comes_in(
    scaled: Features, height: int, width: int, expected: tuple[int, int]
) -> None:
    pixels = np.full((height, width, 1), 90, np.uint8)
    assert seen(scaled, pixels).shape == (1, 3, *expected)
    patches = patches_of(scaled, Frame(pixels=pixels))
    assert patches.shape == (64, 8)  # on the common grid, 8 x 8
    assert np.isfinite(patches).all()


def test_frames_of_the_working_shape_give_the_patches_of_a_fixed_size(scaled: Features, part: MakePart) -> None:
    fixed = with_config(scaled, replace(SCALED, scale=None))
    frame = part(1, 128, 128)
    np.testing.assert_allclose(patches_of(scaled, frame), patches_of(fixed, frame), atol=1e-5)


def test_tiles_and_a_scale_are_refused_together() -> None:
    with pytest.raises(OptionError, match="tiles need one working size for all pictures"):
        FeatureConfig(scale=0.5, tile=128)


# --- the projection


def test_the_projection_is_the_same_every_time(patchy: Backbone, parts: list[Frame]) -> None:
    one, two = (fit_features(parts, patchy, SMALL) for _ in range(2))
    assert one.model().SerializeToString(deterministic=True) == two.model().SerializeToString(deterministic=True)


def test_good_patches_have_zero_mean_and_descending_uncorrelated_components(
    patchy: Backbone, parts: list[Frame]
) -> None:
    # few enough patches that all of them are sampled: then these are exact properties of principal components
    features = fit_features(parts, patchy, SMALL)
    patches = np.concatenate(list(features.extract(parts, range(len(parts))))).astype(np.float64)
    covariance = np.cov(patches, rowvar=False)
    assert np.abs(patches.mean(axis=0)).max() < 1e-4
    assert (np.diff(covariance.diagonal()) <= 0).all()
    assert np.abs(covariance - np.diag(covariance.diagonal())).max() < 1e-4
    # each of the 12 + 13 channels is scaled to a variance of one, and half whitening leaves the geometric mean of a
    # component's variance and the first one's
    variances = covariance.diagonal() ** 2 / covariance[0, 0]
    assert features.projection.explained == pytest.approx(variances.sum() / 25, abs=1e-3)


def test_more_components_explain_more_and_all_explain_everything(patchy: Backbone, parts: list[Frame]) -> None:
    explained = [
        fit_features(parts, patchy, FeatureConfig(height=64, width=96, dimensions=d)).projection.explained
        for d in (1, 4, 25, 40)  # 12 + 13 channels are all there are
    ]
    assert 0 < explained[0] < explained[1] < 1
    assert explained[2] == pytest.approx(1)
    assert explained[3] == pytest.approx(1)


def test_dimensions_that_do_not_exist_are_zero(patchy: Backbone, parts: list[Frame]) -> None:
    features = fit_features(parts, patchy, FeatureConfig(height=64, width=96, dimensions=40))
    assert not patches_of(features, parts[0])[:, 25:].any()


def test_patches_are_the_maps_joined_on_the_finest_grid_and_projected(patchy: Backbone, parts: list[Frame]) -> None:
    """The graph projects first and enlarges then; the other way round, in float64, gives the same."""
    features = fit_features(parts, patchy, SMALL)
    frame = Frame(pixels=np.random.default_rng(3).integers(0, 256, (64, 96, 3), dtype=np.uint8))  # nothing to resize
    image = (frame.pixels / np.float32(255)).transpose(2, 0, 1)[None].astype(np.float32)
    joined = np.zeros((8, 12, 8))
    for values, basis in zip(
        open_session(patchy.model).run(None, {"x": image}), features.projection.bases, strict=True
    ):
        cells = values[0].transpose(1, 2, 0).astype(np.float64)
        means = [cv2.blur(cells[:, :, c].copy(), (3, 3), borderType=cv2.BORDER_CONSTANT) for c in range(cells.shape[2])]
        channels = [cv2.resize(channel, (12, 8)) for channel in means]
        joined += np.stack(channels, axis=2) @ basis.astype(np.float64)
    expected = (joined - features.projection.offset).reshape(-1, 8)
    np.testing.assert_allclose(patches_of(features, frame), expected, atol=2e-5)


# --- frames of all kinds


def test_grey_is_rgb_with_equal_channels(patchy: Backbone, parts: list[Frame]) -> None:
    features = fit_features(parts, patchy, SMALL)
    grey = np.asarray(parts[0].pixels[:, :, :1], np.uint8)
    as_rgb = Frame(pixels=np.repeat(grey, 3, axis=2))
    np.testing.assert_array_equal(patches_of(features, Frame(pixels=grey)), patches_of(features, as_rgb))


@pytest.mark.parametrize("size", [(64, 96), (90, 120), (300, 400), (31, 17)], ids=str)
def test_a_12_bit_scene_gives_the_patches_of_its_8_bit_version(
    patchy: Backbone, part: MakePart, parts: list[Frame], size: tuple[int, int]
) -> None:
    eight = fit_features(parts, patchy, SMALL)
    twelve = with_config(eight, FeatureConfig(height=64, width=96, dimensions=8, bit_depth=12))
    scene = cv2.GaussianBlur(part(5, *size).pixels.astype(np.float32), (0, 0), 1) / 255
    coarse = Frame(pixels=np.rint(scene * 255).astype(np.uint8))
    fine = Frame(pixels=np.rint(scene * 4095).astype(np.uint16), bit_depth=12)
    stored = Frame(pixels=fine.pixels, bit_depth=16)  # as a file says it that does not know how many bits count
    a, b = patches_of(eight, coarse), patches_of(twelve, fine)
    # grey levels are rounded when stored and in the 8-bit resize, 0.4 of a level in all, and the noise is four levels
    assert (a - b).std() < 0.1 * a.std()
    np.testing.assert_array_equal(patches_of(twelve, stored), b)


@pytest.mark.parametrize(
    ("dtype", "depth", "model_depth"),
    [(np.uint8, 8, 12), (np.uint16, 12, 8), (np.uint16, 10, 12)],
    ids=["8 for a 12-bit model", "12 for an 8-bit model", "10 for a 12-bit model"],
)
def test_a_frame_of_another_depth_is_refused(
    patchy: Backbone, parts: list[Frame], dtype: type, depth: int, model_depth: int
) -> None:
    features = with_config(
        fit_features(parts, patchy, SMALL), FeatureConfig(height=64, width=96, dimensions=8, bit_depth=model_depth)
    )
    frame = Frame(pixels=np.ones((64, 96, 1), dtype), bit_depth=depth, source="cam 1")
    with pytest.raises(
        FrameError, match=rf"cam 1: has {depth} bits per channel, the model was trained on {model_depth}"
    ):
        patches_of(features, frame)


def test_what_the_runtime_cannot_do_is_told_as_a_frame_error() -> None:
    builder = GraphBuilder()
    pixels = builder.node("Cast", ["image"], {"to": 1})
    builder.rename(builder.node("Reshape", [pixels, builder.int64(5)]), "flat")
    session = open_session(builder.build([image_input(FeatureConfig())], [("flat", (5,))]))
    frame = Frame(pixels=np.ones((2, 2, 1), np.uint8), source="cam 1")
    with pytest.raises(FrameError, match="cam 1: the model cannot judge it"):
        run_image(session, frame, FeatureConfig())


def test_patches_come_in_the_order_asked_for_and_progress_ends_complete(patchy: Backbone, parts: list[Frame]) -> None:
    told: list[tuple[str, int, int]] = []
    features = fit_features(parts, patchy, SMALL, lambda *state: told.append(state))
    assert told[-1] == ("projection", 12, 12)
    some = list(features.extract(parts, [7, 2], lambda *state: told.append(state)))
    assert told[-2:] == [("features", 1, 2), ("features", 2, 2)]
    np.testing.assert_array_equal(some[0], patches_of(features, parts[7]))
    np.testing.assert_array_equal(some[1], patches_of(features, parts[2]))
