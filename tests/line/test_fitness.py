"""Each way in which a picture can be unfit is told by its cause; a part's own variation is not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.imaging.fitness import estimate_blur, find_target, measure, spectrum, white_balance
from sightline.line.fitness import Cause, FitnessCheck, FitnessLimits, Reference, reference_of
from sightline.records import Box, Frame
from sightline.synthesis.parts import PartConfig, render

CONFIG = PartConfig(size=640, shift_mm=0.2, turn_deg=0.5, light_turn_deg=2, light_change=0.03)
TARGET, PATCH = Box(x=4, y=4, width=60, height=60), Box(x=560, y=10, width=60, height=40)
STRICT = FitnessLimits(least_sharpness=0.5, most_motion_px=9)
Pixels = NDArray[np.uint8]


def with_fixture(pixels: Pixels) -> Pixels:
    """With a mark and a grey patch that a fixture would have."""
    made = pixels.copy()
    made[4:64, 4:64] = 230
    cv2.circle(made, (34, 34), 20, (20, 20, 20), 6)
    made[10:50, 560:620] = (128, 128, 128)
    return made


@pytest.fixture(scope="module")
def parts() -> list[Pixels]:
    rng = np.random.default_rng(3)
    return [with_fixture(np.asarray(render(CONFIG, rng).pixels, np.uint8)) for _ in range(4)]


@pytest.fixture(scope="module")
def reference(parts: list[Pixels]) -> Reference:
    return reference_of(Frame(pixels=parts[0]), target=TARGET, grey_patch=PATCH)


def moved(pixels: Pixels, length: int, angle_deg: float) -> Pixels:
    kernel = np.zeros((65, 65), np.float32)
    kernel[32, 32 - length // 2 : 32 - length // 2 + length] = 1 / length
    turned = cv2.warpAffine(kernel, cv2.getRotationMatrix2D((32, 32), -angle_deg, 1), (65, 65))
    blurred = cv2.filter2D(pixels.astype(np.float32), -1, turned / turned.sum())
    noisy = blurred + np.random.default_rng(0).normal(0, 1, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def causes(pixels: Pixels, reference: Reference | None, limits: FitnessLimits = STRICT) -> set[Cause]:
    return {one.cause for one in FitnessCheck(limits, reference).check(Frame(pixels=pixels)).unfit}


def test_other_good_parts_are_fit(parts: list[Pixels], reference: Reference) -> None:
    check = FitnessCheck(STRICT, reference)
    for pixels in parts:
        found = check.check(Frame(pixels=pixels))
        assert found.unfit == ()
        assert found.fit


def test_so_many_pictures_in_a_row_not_as_at_the_set_up_are_no_part_s_fault(
    parts: list[Pixels], reference: Reference
) -> None:
    check = FitnessCheck(FitnessLimits(off_after=3), reference)
    knocked = [np.roll(pixels, 9, axis=1) for pixels in parts]
    for pixels in (knocked[0], knocked[1], parts[0], knocked[2], knocked[3]):
        assert check.check(Frame(pixels=pixels)).fit == (pixels is parts[0])
        assert not check.off
    check.check(Frame(pixels=knocked[0]))
    assert check.off
    check.forgive()
    assert not check.off
    with pytest.raises(OptionError, match="off_after"):
        FitnessLimits(off_after=0)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        pytest.param(lambda p: p // 200, Cause.TOO_DARK, id="lens cap"),
        pytest.param(lambda p: np.full_like(p, 255), Cause.TOO_BRIGHT, id="over-exposed"),
        pytest.param(lambda p: np.full_like(p, 255), Cause.SATURATED, id="at white"),
        pytest.param(lambda p: np.full_like(p, 90), Cause.LOW_CONTRAST, id="plain"),
        pytest.param(lambda p: cv2.GaussianBlur(p, (0, 0), 4), Cause.BLURRED, id="out of focus"),
        pytest.param(lambda p: moved(p, 20, 30), Cause.MOTION, id="moving"),
        pytest.param(lambda p: p[:-1], Cause.WRONG_SIZE, id="a row less"),
        pytest.param(lambda p: p[..., :1], Cause.WRONG_FORMAT, id="grey"),
        pytest.param(lambda p: p.astype(np.uint16), Cause.WRONG_FORMAT, id="16 bits"),
        pytest.param(lambda p: np.roll(p, 9, axis=1), Cause.TARGET_MOVED, id="shifted"),
        pytest.param(lambda p: p[:, ::-1], Cause.TARGET_MISSING, id="mirrored"),
        pytest.param(lambda p: np.uint8(p * (1.0, 1.0, 0.8)), Cause.COLOUR_CAST, id="yellow"),
    ],
)
def test_what_is_wrong_is_told_by_its_cause(parts: list[Pixels], reference: Reference, spoil, cause: Cause) -> None:  # type: ignore[no-untyped-def]
    pixels = np.ascontiguousarray(spoil(parts[1]))
    frame = Frame(pixels=pixels, bit_depth=12 if pixels.dtype == np.uint16 else 8)
    found = FitnessCheck(STRICT, reference).check(frame)
    assert cause in {one.cause for one in found.unfit}
    assert not found.fit


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        pytest.param(Frame(pixels=np.full((24, 31, 1), 90, np.uint8)), Cause.WRONG_SIZE, id="a column less"),
        pytest.param(Frame(pixels=np.full((24, 32, 3), 90, np.uint8)), Cause.WRONG_FORMAT, id="colour"),
        pytest.param(Frame(pixels=np.full((24, 32, 1), 90, np.uint16), bit_depth=12), Cause.WRONG_FORMAT, id="12 bits"),
    ],
)
def test_without_a_reference_pictures_are_to_be_of_the_size_and_format_of_the_first(frame: Frame, cause: Cause) -> None:
    check = FitnessCheck(FitnessLimits(least_contrast=0.0, frozen_after=None))
    first = Frame(pixels=np.full((24, 32, 1), 90, np.uint8))
    assert check.check(first).fit
    for _ in range(2):
        assert [one.cause for one in check.check(frame).unfit] == [cause]
    assert check.check(first).fit
    check.forgive()  # somebody has set the camera up anew
    assert check.check(frame).fit
    assert not check.check(first).fit


@pytest.mark.parametrize("share", [0.7, 0.5, 0.3, 0.15])
@pytest.mark.parametrize("patch", [PATCH, None])
def test_light_that_fades_is_told_long_before_the_picture_is_black(
    parts: list[Pixels], share: float, patch: Box | None
) -> None:
    reference = reference_of(Frame(pixels=parts[0]), grey_patch=patch)
    found = causes((parts[1] * share).astype(np.uint8), reference, FitnessLimits())
    assert found >= ({Cause.PATCH_CHANGED, Cause.DARKER} if patch else {Cause.DARKER})
    assert Cause.TOO_DARK not in found, "the fixed limits see nothing"


def test_the_patch_tells_a_change_of_light_that_parts_could_hide(parts: list[Pixels], reference: Reference) -> None:
    assert causes((parts[1] * 0.8).astype(np.uint8), reference, FitnessLimits()) == {Cause.PATCH_CHANGED}
    assert causes((parts[1] * 0.9).astype(np.uint8), reference, FitnessLimits()) == set()
    wide = FitnessLimits(most_patch_change=0.3)
    assert causes((parts[1] * 0.8).astype(np.uint8), reference, wide) == set()
    check = FitnessCheck(FitnessLimits(off_after=2), reference)
    for pixels in parts[:2]:
        check.check(Frame(pixels=(pixels * 0.8).astype(np.uint8)))
    assert check.off, "no part mends the light"


def test_more_light_less_contrast_and_more_white_than_at_the_set_up_have_causes_of_their_own(
    parts: list[Pixels], reference: Reference
) -> None:
    brighter = np.clip(parts[1] * 1.4, 0, 250).astype(np.uint8)
    assert causes(brighter, reference, FitnessLimits()) >= {Cause.BRIGHTER, Cause.PATCH_CHANGED}
    mean = parts[1].mean()
    foggy = (mean + (parts[1] - mean) * 0.4).astype(np.uint8)
    assert Cause.CONTRAST_CHANGED in causes(foggy, reference, FitnessLimits())
    glaring = parts[1].copy()
    glaring[500:] = 255
    assert Cause.MORE_SATURATED in causes(glaring, reference, FitnessLimits())


def test_a_black_set_up_is_like_nothing_but_black() -> None:
    black = reference_of(Frame(pixels=np.zeros((40, 40, 1), np.uint8)))
    limits = FitnessLimits(least_brightness=0, least_contrast=0)
    assert causes(np.zeros((40, 40, 1), np.uint8), black, limits) == set()
    assert Cause.BRIGHTER in causes(np.full((40, 40, 1), 9, np.uint8), black, limits)


def test_light_is_checked_without_a_reference(parts: list[Pixels]) -> None:
    assert causes(parts[0], None, FitnessLimits()) == set()
    assert causes(np.zeros_like(parts[0]), None, FitnessLimits()) == {Cause.TOO_DARK, Cause.LOW_CONTRAST}


def test_a_frozen_camera_is_found_with_the_third_frame_and_forgiven_with_the_next(parts: list[Pixels]) -> None:
    check = FitnessCheck(FitnessLimits(frozen_after=3))
    frozen = [check.check(Frame(pixels=parts[number])).fit for number in (0, 0, 0, 0, 1, 0, 1)]
    assert frozen == [True, True, False, False, True, True, True]


def test_the_first_frame_that_is_the_one_before_is_not_live(parts: list[Pixels]) -> None:
    check = FitnessCheck(FitnessLimits())
    assert [check.check(Frame(pixels=parts[0])).fit for _ in range(3)] == [True, False, False]


def test_noise_alone_tells_frames_apart(parts: list[Pixels]) -> None:
    other = parts[0].copy()
    other[::16] ^= 1
    assert measure(Frame(pixels=parts[0])).digest != measure(Frame(pixels=other)).digest


@pytest.mark.parametrize(("length", "angle_deg"), [(10, 0), (12, 90), (15, 45), (25, 120)])
def test_motion_is_measured(parts: list[Pixels], length: int, angle_deg: float) -> None:
    seen = spectrum(Frame(pixels=moved(parts[1], length, angle_deg)))
    blur = estimate_blur(seen, spectrum(Frame(pixels=parts[0])))
    assert blur.motion_px == pytest.approx(length, rel=0.35)
    assert min(abs(blur.angle_deg - angle_deg), 180 - abs(blur.angle_deg - angle_deg)) < 20


def test_the_same_picture_has_no_blur(parts: list[Pixels]) -> None:
    same = spectrum(Frame(pixels=parts[0]))
    assert estimate_blur(same, same).motion_px == pytest.approx(0, abs=1e-3)


def test_depth_and_channels_do_not_change_what_is_measured(parts: list[Pixels]) -> None:
    grey = Frame(pixels=parts[0].mean(axis=2, keepdims=True).astype(np.uint8))
    deep = Frame(pixels=grey.pixels.astype(np.uint16) * 16, bit_depth=12)
    eight, twelve = measure(grey), measure(deep)
    assert twelve.brightness == pytest.approx(eight.brightness, rel=0.01)
    assert twelve.contrast == pytest.approx(eight.contrast, rel=0.01)
    assert twelve.sharpness == pytest.approx(eight.sharpness, rel=0.01)


def test_brightness_contrast_and_share_at_white_are_what_one_works_out_by_hand() -> None:
    pixels = np.zeros((100, 100, 1), np.uint8)
    pixels[:, ::4] = 255
    found = measure(Frame(pixels=pixels))
    assert [found.brightness, found.saturated_share] == pytest.approx([0.25, 0.25])
    assert found.contrast == pytest.approx(np.sqrt(0.25 * 0.75))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 3), (40, 5, 1)])
def test_the_smallest_pictures_can_be_measured(shape: tuple[int, ...]) -> None:
    assert measure(Frame(pixels=np.full(shape, 7, np.uint8))).sharpness == 0
    spectrum(Frame(pixels=np.full(shape, 7, np.uint8)))


def test_a_target_is_found_between_pixels(parts: list[Pixels]) -> None:
    frame = Frame(pixels=parts[0])
    target = Frame(pixels=parts[0][4:64, 4:64])
    moved_by = np.array([[1, 0, 3.5], [0, 1, 2.25]])
    shift = np.asarray(cv2.warpAffine(parts[0], moved_by, (640, 640)), np.uint8)
    here, there = (find_target(one, target, TARGET, 10) for one in (frame, Frame(pixels=shift)))
    assert here
    assert there
    assert [there.x - here.x, there.y - here.y] == pytest.approx([3.5, 2.25], abs=0.25)
    assert find_target(Frame(pixels=np.zeros_like(parts[0])), target, TARGET, 10) is None


def test_white_balance_is_the_ratio_of_means() -> None:
    pixels = np.full((10, 10, 3), (60, 100, 150), np.uint8)
    assert white_balance(Frame(pixels=pixels), Box(x=2, y=2, width=4, height=4)) == (0.6, 1.5)
    assert white_balance(Frame(pixels=pixels[..., :1]), Box(x=2, y=2, width=4, height=4)) == (1, 1)


@pytest.mark.parametrize(
    ("target", "patch", "message"),
    [
        (Box(x=600, y=0, width=60, height=60), None, "target reaches beyond"),
        (None, Box(x=0, y=600, width=60, height=60), "grey_patch reaches beyond"),
        (Box(x=570, y=20, width=20, height=10), None, "without contrast"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(
    parts: list[Pixels], target: Box | None, patch: Box | None, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        reference_of(Frame(pixels=parts[0]), target=target, grey_patch=patch)


def test_limits_that_cannot_be_are_refused() -> None:
    with pytest.raises(OptionError, match="give one"):
        FitnessCheck(STRICT)
    with pytest.raises(OptionError, match="below the second"):
        FitnessLimits(least_brightness=0.9, most_brightness=0.1)
    with pytest.raises(OptionError, match="give 2 or more"):
        FitnessLimits(frozen_after=1)
