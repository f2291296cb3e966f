"""Labels as shapes and back: what somebody draws is what is kept, and what is kept is what is shown."""

import asyncio
from typing import Any

import numpy as np
import pytest
from nicegui import run

from sightline.console.drawn import geometry_of, shapes_of
from sightline.console.stored_labels import shapes_of as stored_shapes
from sightline.console.viewer import Shape
from sightline.datasets.geometry import Window, decoded, encoded, encoded_window, pixels_of, window_of
from sightline.errors import DatasetError
from sightline.service.routes.labels import LabelRecord
from sightline.store.drawing import from_document, painted, to_document


def test_a_box_is_kept_whichever_corner_it_was_drawn_from() -> None:
    geometry = geometry_of(Shape(kind="box", points=((9.0, 8.0), (1.0, 20.0))))
    assert geometry == {"box": [1.0, 8.0, 9.0, 20.0]}
    (shape,) = shapes_of("dent", geometry, "7")
    assert (shape.points, shape.label, shape.id) == (((1.0, 8.0), (9.0, 20.0)), "dent", "7")


def test_a_polygon_comes_back_as_it_was() -> None:
    drawn = Shape(kind="polygon", points=((1.0, 1.0), (9.0, 2.0), (4.5, 8.0)), label="dent")
    (shown,) = shapes_of("dent", geometry_of(drawn), "")
    assert shown == drawn


def test_a_mask_is_shown_by_the_outlines_of_its_parts() -> None:
    pixels = np.zeros((40, 60), np.bool_)
    pixels[5:9, 5:20] = pixels[20:30, 40:50] = True
    found = shapes_of("dent", to_document(encoded(pixels)), "3")
    assert [shape.id for shape in found] == ["3", "3"]
    back = np.zeros_like(pixels)
    for shape in found:
        back |= pixels_of(from_document(geometry_of(shape)), 40, 60)
    assert np.array_equal(back, pixels)


def test_a_long_outline_is_shown_with_fewer_points_close_to_it() -> None:
    y, x = np.mgrid[:400, :400]
    disc = (y - 200) ** 2 + (x - 200) ** 2 < 180**2
    (shape,) = shapes_of("dent", to_document(encoded(disc)), "")
    assert len(shape.points) < 400
    shown = pixels_of(from_document(geometry_of(shape)), 400, 400)
    assert np.count_nonzero(shown ^ disc) < 0.01 * np.count_nonzero(disc)


def test_a_label_of_the_whole_picture_is_no_shape() -> None:
    assert shapes_of("dent", {}, "1") == []


@pytest.mark.parametrize(
    ("stroke", "width", "marked"),
    [
        pytest.param([[5.5, 5.5]], 1, 1, id="a dot"),
        pytest.param([[5, 5], [9, 5]], 1, 5, id="a line as thin as a pixel"),
        pytest.param([[5, 5], [9, 5]], 3, 21, id="a line and a pixel around it"),
        pytest.param([[-4, 5], [0, 5]], 1, 1, id="what lies in the picture"),
        pytest.param([[-2, 5]], 6, 6, id="a brush that reaches in"),
    ],
)
def test_a_stroke_paints_what_is_within_half_its_width(stroke: list[list[float]], width: float, marked: int) -> None:
    mask = painted({"stroke": stroke, "width": width}, 20, 30)
    assert int(decoded(mask).sum()) == marked


def test_a_stroke_beside_the_picture_is_refused() -> None:
    with pytest.raises(DatasetError, match="marks nothing"):
        painted({"stroke": [[300, 300], [400, 300]], "width": 5}, 20, 30)


def test_a_window_of_a_picture_is_kept_as_the_whole_of_it() -> None:
    rng = np.random.default_rng(1)
    for height, width, top, left in ((7, 9, 0, 0), (9, 7, 4, 3), (5, 6, 0, 2)):
        inside = rng.random((5, 4)) < 0.6
        inside[:, 1:3] = True  # runs that go on from one column to the next where the window is as high as the picture
        whole = np.zeros((height, width), np.bool_)
        whole[top : top + 5, left : left + 4] = inside
        mask = encoded_window(Window(pixels=inside, top=top, left=left), height, width)
        assert mask == encoded(whole)
        window = window_of(mask)
        assert window.pixels.shape[0] <= 5
        back = np.zeros_like(whole)
        back[window.top :, window.left :][: window.pixels.shape[0], : window.pixels.shape[1]] = window.pixels
        assert np.array_equal(back, whole)


def test_the_page_goes_on_while_labels_are_drawn() -> None:
    pixels = np.random.default_rng(0).random((400, 400)) < 0.5
    record = LabelRecord.model_construct(id=1, label="dent", geometry=to_document(encoded(pixels)))

    class Server:
        async def get(self, path: str, kind: Any, /) -> Any:
            return [record]

    async def look() -> int:
        turns, stored = 0, asyncio.ensure_future(stored_shapes(Server(), "ab"))  # type: ignore[arg-type]
        while not stored.done():
            turns += 1
            await asyncio.sleep(0)
        assert await stored
        return turns

    try:
        assert asyncio.run(look()) > 20  # a loop that waits for it turns three times
    finally:
        run.thread_pool.shutdown()
        run.reset()
