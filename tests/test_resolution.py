"""At how many pixels pictures are looked at: as the smallest defect asks, within bounds, and told where not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import sightline
from sightline.datasets.opening import open_dataset
from sightline.imaging.writing import write_png
from sightline.models.backbone import load_backbone
from sightline.records import Verdict
from sightline.resolution import MOST_TILES, TILE_PX, Resolution, at_once, tiled, working_size
from sightline.synthesis.parts import PartConfig, render
from sightline.training import Look, TrainConfig, resolution, train

ROOM = 2**40  # bytes: no bound
LARGE = [(3000, 4000)] * 100


def seen_in_tiles(
    shapes: list[tuple[int, int]], smallest: int, *, tile: int | None = None, room_bytes: int = ROOM
) -> Resolution:
    return tiled(shapes, 16, smallest_defect=smallest, tile=tile, room_bytes=room_bytes)


@pytest.mark.parametrize(
    ("shapes", "multiple", "expected"),
    [
        pytest.param([(480, 480)], 16, (256, 256), id="square"),
        pytest.param([(300, 400)] * 3, 16, (256, 336), id="4:3 is 341.3, on a multiple of 16 it is 336"),
        pytest.param([(300, 400)] * 3, 8, (256, 344), id="on 8 it is 344"),
        pytest.param([(400, 300)], 16, (336, 256), id="upright"),
        pytest.param([(500, 1260)], 16, (256, 640), id="long"),
        pytest.param([(90, 120)], 16, (256, 336), id="small ones are enlarged"),
        pytest.param([(7, 8)], 16, (256, 288), id="tiny"),
        pytest.param([(1000, 4000)], 16, (256, 1024), id="longer"),
        pytest.param([(500, 5000)], 16, (208, 2048), id="2048 on the long side are the most, and shrink both"),
        pytest.param([(5000, 500)], 16, (2048, 208), id="upright and long"),
        pytest.param([(480, 640)] * 4 + [(480, 700)], 16, (256, 336), id="9 % wider is the same shape"),
        pytest.param([(480, 640)] * 4 + [(480, 710)], 16, (256, 256), id="11 % wider is another"),
        pytest.param([(480, 640), (640, 480)], 16, (256, 256), id="lying and upright"),
        pytest.param([(480, 640), (960, 1280), (300, 400)], 16, (256, 336), id="one shape, several sizes"),
    ],
)
def test_the_working_size_has_256_px_on_the_short_side_in_the_pictures_own_shape(
    shapes: list[tuple[int, int]], multiple: int, expected: tuple[int, int]
) -> None:
    assert working_size(shapes, multiple) == expected


@pytest.mark.parametrize(
    ("shape", "smallest", "expected"),
    [
        pytest.param((320, 320), 8, (320, 320), id="8 px are seen as they are"),
        pytest.param((320, 320), 4, (640, 640), id="4 px are enlarged to 8"),
        pytest.param((320, 320), 1, (640, 640), id="nothing is enlarged more than twice"),
        pytest.param((1024, 1024), 16, (512, 512), id="16 px are reduced to 8"),
        pytest.param((1024, 1024), 100, (256, 256), id="not below 256"),
        pytest.param((1024, 1024), 8, (1024, 1024), id="as large as they are"),
        pytest.param((1000, 1000), 4, (1024, 1024), id="2^20 px are the most"),
        pytest.param((500, 5000), 4, (208, 2048), id="and 2048 on the long side"),
    ],
)
def test_the_smallest_defect_sets_the_working_size(
    shape: tuple[int, int], smallest: int, expected: tuple[int, int]
) -> None:
    assert working_size([shape], 16, smallest_defect=smallest) == expected


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (3, 7), (10_000, 10_000)], ids=str)
@pytest.mark.parametrize("smallest", [None, 1, 10**9])
@pytest.mark.parametrize("multiple", [16, 128])
def test_whatever_the_pictures_the_working_size_is_bounded(
    shape: tuple[int, int], smallest: int | None, multiple: int
) -> None:
    size = working_size([shape], multiple, smallest_defect=smallest)
    assert not any(side % multiple for side in size)
    assert all(2 * multiple <= side <= 2048 for side in size)
    assert size[0] * size[1] <= 1.3 * 2**20  # rounding to the multiple included


# --- tiles


@pytest.mark.parametrize(
    ("smallest", "size"),
    [pytest.param(8, (3008, 4000), id="as large as they are"), pytest.param(16, (1504, 2000), id="half as large")],
)
def test_tiles_are_taken_where_the_smallest_defect_needs_more_than_is_seen_at_once(
    smallest: int, size: tuple[int, int]
) -> None:
    found = seen_in_tiles(LARGE, smallest)
    assert found == Resolution(height=size[0], width=size[1], tile=TILE_PX)


def test_no_tiles_are_taken_where_the_smallest_defect_does_not_need_them() -> None:
    height, width = working_size(LARGE, 16, smallest_defect=40)
    assert seen_in_tiles(LARGE, 40) == Resolution(height=height, width=width)


def test_a_tile_that_is_asked_for_is_taken_and_bounds_the_working_size() -> None:
    found = seen_in_tiles(LARGE, 8, tile=512)
    assert found.tile == 512
    assert found.height * found.width <= 1.01 * MOST_TILES * 512**2


def test_time_bounds_the_tiles_and_one_line_says_what_is_seen_instead() -> None:
    found = seen_in_tiles(LARGE, 6)  # 8 px wide it would need 4000 x 5328 px, more than 2^24
    assert found.height * found.width <= 1.01 * MOST_TILES * TILE_PX**2
    assert found.warnings == (
        "a defect of 6 px is seen 7.1 px wide at the working size, 4736 x 3552 px, and may be missed; well seen is "
        "8 px, which is 7 px in your pictures. A larger working size would take too long; take several pictures of "
        "the part, each nearer.",
    )


def test_memory_bounds_the_tiles_and_the_cure_names_the_option() -> None:
    few, many = (seen_in_tiles([(3000, 4000)] * count, 8, room_bytes=1536 * 2**20) for count in (20, 1000))
    assert (few.height, few.width) == (3008, 4000)
    assert many.height * many.width < 0.3 * few.height * few.width
    assert many.tile == TILE_PX
    assert len(many.warnings) == 1
    assert "1000 pictures in this memory allow no more; give more --memory-mib" in many.warnings[0]


def test_pictures_of_many_shapes_are_seen_at_once_and_told_of() -> None:
    found = seen_in_tiles([(3000, 4000), (4000, 3000), (3000, 3000)], 6)
    assert (found.tile, found.height, found.width) == (None, 1024, 1024)
    assert "Tiles need pictures of one shape" in found.warnings[0]


def test_what_would_have_to_be_enlarged_more_than_twice_is_told() -> None:
    found = seen_in_tiles([(320, 320)], 2)
    assert (found.height, found.width) == (640, 640)
    assert "seen 4.0 px wide" in found.warnings[0]
    assert "Pictures are enlarged twice at most" in found.warnings[0]


def test_no_warning_is_given_without_a_smallest_defect() -> None:
    assert at_once(LARGE, 16, cure="none") == Resolution(height=256, width=336)


@pytest.mark.parametrize("options", [{"method": "padim"}, {"depth": True}], ids=str)
def test_what_takes_no_tiles_tells_what_does(options: dict[str, Any]) -> None:
    look = Look(paths=[], shapes=LARGE, hashes=[], highest=255, bit_depth=8, warnings=[])
    config = TrainConfig(smallest_defect=8, **options)
    found = resolution(look, load_backbone(None), config)
    assert found.tile is None
    assert found.warnings[0].endswith("takes tiles and sees more: leave --method and --depth out.")


# --- large pictures with a small defect


def large_part(seed: int) -> NDArray[np.uint8]:
    """1408 x 1408 px, in a fixture without play."""
    config = PartConfig(size=1408, shift_mm=0, turn_deg=0, light_turn_deg=1, light_change=0.02)
    return np.asarray(render(config, np.random.default_rng(seed)).pixels, np.uint8)


def with_speck(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """8 px wide, a quarter as bright as the part around it."""
    spoilt = pixels.copy()
    spoilt[900:908, 980:988] //= 4
    return spoilt


@pytest.fixture(scope="module")
def small_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One convolution of stride 8, so that training on large pictures takes a moment."""
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
    return path


def test_a_small_defect_in_a_large_picture_is_found_with_the_option_and_not_without(
    tmp_path: Path, small_backbone: Path
) -> None:
    good = tmp_path / "good"
    good.mkdir()
    for seed in range(6):
        write_png(good / f"{seed}.png", large_part(seed))
    part = large_part(100)
    spoilt = with_speck(part)
    verdicts = {}
    for smallest in (None, 8):
        config = TrainConfig(smallest_defect=smallest, backbone=small_backbone, dimensions=8, bank=100)
        manifest = train(open_dataset(good), tmp_path / "part.sight", config).bundle.manifest
        inspector = sightline.load(tmp_path / "part.sight")
        assert inspector.inspect(part).verdict is Verdict.PASS
        verdicts[manifest.working_size, manifest.tile] = inspector.inspect(spoilt)
    unseen, seen = verdicts[(256, 256), None], verdicts[(1408, 1408), TILE_PX]
    assert unseen.verdict is Verdict.PASS
    assert seen.verdict is Verdict.REJECT
    box = seen.defects[0].box
    assert (box.x < 988, box.x + box.width > 980) == (True, True)  # it meets the speck
    assert (box.y < 908, box.y + box.height > 900) == (True, True)
