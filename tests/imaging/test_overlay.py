import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.imaging.banner import INK, figure
from sightline.imaging.heat import fit_map, heat_scale, tint
from sightline.imaging.overlay import MAX_SIDE, MIN_SIDE, heat_picture, original, overlay, panel, to_8bit
from sightline.records import Box, Defect, FloatArray, Pixels, Verdict

THRESHOLD = 2.0
MAGENTA = (255, 0, 255)
CYAN = (80, 220, 255)


def noise(height: int, width: int, channels: int = 1, bits: int = 8) -> Pixels:
    values = np.random.default_rng(0).integers(0, 2**bits, (height, width, channels))
    return values.astype(np.uint8) if bits == 8 else values.astype(np.uint16)


def flat(value: float, height: int = 8, width: int = 8) -> FloatArray:
    return np.full((height, width), value, np.float32)


def has(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour, np.uint8)).all(axis=-1).any())


@pytest.mark.parametrize(
    ("value", "bits", "shown"),
    [(255, 8, 255), (4095, 12, 255), (65535, 16, 255), (0, 16, 0), (2048, 12, 128), (5000, 12, 255)],
    ids=["8 bit", "12 bit white", "16 bit white", "black", "12 bit middle", "above white"],
)
def test_every_depth_is_shown_on_0_to_255(value: int, bits: int, shown: int) -> None:
    pixels = np.full((2, 3, 1), value, np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_array_equal(to_8bit(pixels, bits), np.full((2, 3, 3), shown, np.uint8))


def test_colours_keep_their_order() -> None:
    pixels = np.array([[[10, 20, 30]]], np.uint8)
    assert to_8bit(pixels, 8).tolist() == [[[10, 20, 30]]]


def test_a_good_picture_far_below_the_threshold_stays_untouched() -> None:
    pixels = noise(500, 450)
    values = np.random.default_rng(1).uniform(0, 0.6 * THRESHOLD, (31, 29)).astype(np.float32)
    np.testing.assert_array_equal(heat_picture(pixels, 8, values, THRESHOLD), original(pixels, 8))


def test_the_same_map_value_gives_the_same_tint_in_every_picture() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    alone, beside = flat(1.7), flat(1.7)
    beside[0, 0] = 50.0  # a stretched scale would now pale the rest
    scale = heat_scale(THRESHOLD)
    np.testing.assert_array_equal(tint(grey, alone, scale)[1:], tint(grey, beside, scale)[1:])


def test_the_tint_grows_with_the_map_until_it_is_full() -> None:
    grey = np.full((1, 7, 3), 100, np.uint8)
    values = np.array([[1.2, 1.5, 1.8, 2.0, 2.6, 3.2, 99.0]], np.float32)
    change = np.abs(tint(grey, values, heat_scale(THRESHOLD)).astype(int) - 100).sum(axis=-1)[0]
    assert change[0] == 0
    assert (np.diff(change[:6]) > 0).all()
    assert change[5] == change[6]


def test_the_scale_is_a_multiple_of_the_threshold_and_shows_the_review_band() -> None:
    plain, review = heat_scale(10.0), heat_scale(10.0, 5.0)
    assert (plain.start, plain.threshold, plain.full) == (6.0, 10.0, 16.0)
    assert review.start < 5.0
    assert heat_scale(0.0).start < 0.0 < heat_scale(0.0).full
    assert heat_scale(-3.0).start < -3.0 < heat_scale(-3.0).full


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(threshold: float) -> None:
    with pytest.raises(OptionError, match="threshold must be finite"):
        overlay(noise(40, 40), 8, flat(1), threshold)


def test_the_contour_is_drawn_where_the_threshold_is_reached_and_only_there() -> None:
    pixels = np.full((400, 400, 1), 60, np.uint8)
    reached, below = flat(0), flat(0)
    reached[3, 3], below[3, 3] = THRESHOLD, np.nextafter(np.float32(THRESHOLD), np.float32(0))
    ink = np.array(INK, np.uint8)
    # dark casing of the contour: nothing else in these pictures has this colour
    values = np.repeat(np.repeat(reached, 50, 0), 50, 1)
    assert (heat_picture(pixels, 8, values, THRESHOLD) == ink).all(axis=-1).any()
    values = np.repeat(np.repeat(below, 50, 0), 50, 1)
    assert not (heat_picture(pixels, 8, values, THRESHOLD) == ink).all(axis=-1).any()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_map_value_that_is_not_finite_is_hatched_not_hidden(broken: float) -> None:
    values = flat(0.1)
    values[2, 2] = broken
    picture = heat_picture(np.full((400, 400, 1), 60, np.uint8), 8, values, THRESHOLD)
    assert has(picture, MAGENTA)
    assert has(picture[105:145, 105:145], (0, 0, 0))
    assert not has(picture[200:], MAGENTA)


def test_a_map_with_no_finite_value_at_all_is_hatched_everywhere() -> None:
    picture = overlay(noise(400, 400), 8, flat(np.nan), THRESHOLD, verdict=Verdict.FAULT)
    assert has(picture, MAGENTA)


def test_a_single_peak_survives_a_map_larger_than_the_picture() -> None:
    values = flat(0, 1000, 1001)
    values[531, 777] = 9.0
    assert fit_map(values, 100, 97).max() == pytest.approx(9.0)
    values[531, 777] = np.nan
    assert np.isnan(fit_map(values, 100, 97)).any()


def test_the_true_defect_is_outlined_in_its_own_colour() -> None:
    mask = np.zeros((400, 400), np.bool_)
    mask[100:200, 100:200] = True
    pixels = np.full((400, 400, 1), 60, np.uint8)
    assert has(heat_picture(pixels, 8, flat(0), THRESHOLD, mask=mask), CYAN)
    assert not has(heat_picture(pixels, 8, flat(0), THRESHOLD), CYAN)


def test_boxes_are_drawn_round_defects_even_at_the_edge() -> None:
    pixels = np.full((400, 500, 1), 60, np.uint8)
    defects = [
        Defect(box=Box(x=x, y=y, width=9, height=9), area_px=81, peak=3.0, label="crack")
        for x, y in ((0, 0), (491, 391), (200, 200))
    ]
    changed = (heat_picture(pixels, 8, flat(0), THRESHOLD, defects=defects) != 60).any(axis=-1)
    assert changed[:30, :30].any()
    assert changed[370:, 470:].any()
    assert changed[190:220, 190:220].any()
    assert not changed[204, 204], "the defect itself stays free"
    assert not changed[280:350].any()


def test_hundreds_of_defects_are_drawn_without_hiding_the_part() -> None:
    box = Box(x=5, y=5, width=3, height=3)
    many = [Defect(box=box, area_px=9, peak=3.0)] * 500
    assert overlay(noise(50, 50), 8, flat(9), THRESHOLD, defects=many).shape[1] == MIN_SIDE


@pytest.mark.parametrize(
    ("pixels", "bits", "verdict"),
    [
        pytest.param(noise(50, 50), 8, Verdict.PASS, id="tiny"),
        pytest.param(noise(1, 1), 8, Verdict.PASS, id="one pixel"),
        pytest.param(noise(300, 400, 3, 12), 12, Verdict.REJECT, id="RGB 12 bit"),
        pytest.param(noise(300, 400, 1, 16), 16, Verdict.REVIEW, id="grey 16 bit"),
        pytest.param(noise(2000, 8000), 8, Verdict.FAULT, id="large"),
        pytest.param(noise(3000, 20, 3), 8, None, id="tall and narrow"),
        pytest.param(noise(20, 3000), 8, Verdict.PASS, id="wide and low"),
    ],
)
def test_pictures_of_every_size_and_depth_fit_a_screen(pixels: Pixels, bits: int, verdict: Verdict | None) -> None:
    values = np.linspace(0, 4, 12 * 30, dtype=np.float32).reshape(12, 30)
    for draw in (overlay, panel):
        picture = draw(
            pixels, bits, values, THRESHOLD, review_threshold=1.5, verdict=verdict, caption="ü\n" + "x" * 999
        )
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert MIN_SIDE <= picture.shape[1] <= MAX_SIDE
        assert picture.shape[0] <= 2 * MAX_SIDE + 250


def test_the_panel_shows_the_untouched_picture_on_the_left() -> None:
    pixels = noise(300, 420)
    picture = panel(pixels, 8, flat(9), THRESHOLD)
    top = overlay(pixels, 8, flat(9), THRESHOLD).shape[0] - 300 - 44
    np.testing.assert_array_equal(picture[top : top + 300, :420], to_8bit(pixels, 8))
    assert not np.array_equal(picture[top : top + 300, 428:848], to_8bit(pixels, 8))


def test_the_input_is_not_written_to() -> None:
    pixels, values = noise(400, 400, 3), flat(9)
    before = pixels.copy()
    overlay(pixels, 8, values, THRESHOLD)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(values, flat(9))


def test_the_verdicts_differ_without_colour() -> None:
    shown = [
        overlay(noise(50, 50), 8, flat(1), THRESHOLD, verdict=verdict)[:48].mean(axis=-1) > 100 for verdict in Verdict
    ]
    for index, one in enumerate(shown):
        assert all((one[:, :50] != other[:, :50]).mean() > 0.02 for other in shown[:index])


@pytest.mark.parametrize(("value", "said"), [(2.9, "2.900"), (1234.0, "1234"), (0.0, "0.000"), (1.5e-5, "1.500e-05")])
def test_scores_have_four_digits(value: float, said: str) -> None:
    assert figure(value) == said
