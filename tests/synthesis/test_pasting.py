"""Cloning solves Poisson's equation; a pasted defect fits where it is put."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.synthesis.conftest import Taken

from sightline.errors import DatasetError, OptionError
from sightline.records import BoolArray, FloatArray
from sightline.synthesis.pasting import Limits, cut_out, paste
from sightline.synthesis.poisson import clone, membrane
from sightline.synthesis.scene import Scene, look_at


def blob(height: int, width: int) -> BoolArray:
    y, x = np.mgrid[:height, :width]
    return np.asarray(((y - height / 2) / (height / 3)) ** 2 + ((x - width / 2) / (width / 3)) ** 2 < 1, np.bool_)


def test_a_membrane_between_straight_walls_is_a_plane() -> None:
    y, x = np.mgrid[:60, :80].astype(np.float32)
    plane = np.stack([0.01 * x + 0.002 * y, 0.5 - 0.004 * y], axis=2)
    hidden = np.where(blob(60, 80)[..., None], np.float32(9), plane)
    assert np.allclose(membrane(hidden, ~blob(60, 80)), plane, atol=2e-3)


def test_a_membrane_is_what_a_direct_solver_finds() -> None:
    rng = np.random.default_rng(0)
    values, unknown = rng.random((14, 17, 1), np.float32), blob(14, 17)
    unknown[10:, :4] = True  # at the array's border, across which nothing flows
    index = np.cumsum(unknown.ravel()).reshape(unknown.shape) - 1
    matrix, right = np.zeros((unknown.sum(), unknown.sum())), np.zeros(unknown.sum())
    for row, column in np.argwhere(unknown):
        me = index[row, column]
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < 14 and 0 <= c < 17:
                matrix[me, me] += 1
                if unknown[r, c]:
                    matrix[me, index[r, c]] -= 1
                else:
                    right[me] += values[r, c, 0]
    assert np.allclose(membrane(values, ~unknown)[unknown, 0], np.linalg.solve(matrix, right), atol=1e-3)


def test_an_unheld_border_keeps_the_level_of_what_holds() -> None:
    known = np.zeros((40, 40), np.bool_)
    known[0] = True
    assert np.allclose(membrane(np.full((40, 40, 1), 0.3, np.float32), known), 0.3, atol=1e-3)


def test_cloning_takes_over_the_light_and_keeps_the_contrast() -> None:
    target, patch = np.full((50, 50, 1), 0.2, np.float32), np.full((50, 50, 1), 0.4, np.float32)
    patch[23:27, 23:27] = 0.2  # half as bright as its surroundings
    laid = clone(target, patch, blob(50, 50))
    assert laid is not None
    assert laid[30, 30, 0] == pytest.approx(0.2, abs=0.005)
    assert laid[25, 25, 0] == pytest.approx(0.1, abs=0.015)
    assert np.array_equal(laid[0], target[0])


def test_cloning_agrees_with_opencv_where_the_light_is_the_same() -> None:
    rng = np.random.default_rng(0)
    target = np.asarray(cv2.GaussianBlur(rng.random((60, 60, 3), np.float32), (0, 0), 6), np.float32)
    patch = np.clip(target + np.where(blob(60, 60), 0.1 * np.sin(np.arange(60) / 3), 0)[..., None], 0, 1)
    laid = clone(target, np.asarray(patch, np.float32), cv2.dilate(blob(60, 60).astype(np.uint8), np.ones((5, 5))) > 0)
    source, there = (np.rint(picture * 255).astype(np.uint8) for picture in (patch, target))
    mask = cv2.dilate(blob(60, 60).astype(np.uint8) * 255, np.ones((5, 5)))
    rows, columns = np.nonzero(mask)
    centre = (int((columns.min() + columns.max() + 1) // 2), int((rows.min() + rows.max() + 1) // 2))
    theirs = cv2.seamlessClone(source, there, mask, centre, cv2.NORMAL_CLONE)
    assert laid is not None
    assert np.abs(laid - theirs / 255).mean() < 0.01


def test_nothing_is_cloned_where_the_light_is_nothing_alike() -> None:
    dark, bright = np.full((40, 40, 1), 0.02, np.float32), np.full((40, 40, 1), 0.9, np.float32)
    assert clone(bright, dark, blob(40, 40)) is None


def spotted(scene: Scene, at: tuple[slice, slice]) -> tuple[Scene, BoolArray]:
    """The same picture with a dark spot, and its mask."""
    mask = np.zeros(scene.shape, np.bool_)
    mask[at] = True
    values: FloatArray = np.where(mask[..., None], scene.values * np.float32(0.4), scene.values)
    return replace(scene, values=values), mask


@pytest.mark.parametrize(("channels", "bit_depth"), [(1, 8), (3, 8), (1, 16), (3, 16)])
def test_a_defect_of_any_kind_goes_into_a_picture_of_any_kind(good: Taken, channels: int, bit_depth: int) -> None:
    sick, mask = spotted(look_at(good(1, channels=3)), (slice(40, 52), slice(60, 70)))
    scene = look_at(good(2, channels=channels, bit_depth=bit_depth))
    spoilt = paste(scene, cut_out(sick, mask, "sick"), np.random.default_rng(0), Limits())
    assert spoilt is not None
    assert spoilt.values.shape == scene.values.shape
    assert (spoilt.values / scene.brightness)[spoilt.mask].mean() == pytest.approx(0.4, abs=0.12)
    far = cv2.dilate(spoilt.mask.astype(np.uint8), np.ones((25, 25))) == 0
    assert np.array_equal(spoilt.values[far], scene.values[far])


def test_a_defect_at_a_border_goes_to_a_border_again(good: Taken) -> None:
    sick, mask = spotted(look_at(good(1)), (slice(0, 14), slice(50, 62)))
    cutout = cut_out(sick, mask, "sick")
    assert cutout.sides == (True, False, False, False)
    for seed in range(6):
        spoilt = paste(look_at(good(2)), cutout, np.random.default_rng(seed), Limits())
        assert spoilt is not None
        assert spoilt.mask[0].any() or spoilt.mask[-1].any()


def test_without_turning_scaling_and_flipping_a_defect_keeps_its_shape(good: Taken) -> None:
    sick, mask = spotted(look_at(good(1)), (slice(40, 60), slice(60, 66)))
    mask[40:44, 66:70] = True
    limits = Limits(turn_deg=0, scale=1, flip=False)
    spoilt = paste(look_at(good(2)), cut_out(sick, mask, "sick"), np.random.default_rng(0), limits)
    assert spoilt is not None
    rows, columns = np.nonzero(spoilt.mask)
    found = spoilt.mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert np.array_equal(found, mask[40:60, 60:70])


def test_what_does_not_fit_is_not_pasted(good: Taken) -> None:
    sick, mask = spotted(look_at(good(1)), (slice(10, 110), slice(10, 110)))
    cutout = cut_out(sick, mask, "sick")
    assert paste(look_at(good(2, side=64)), cutout, np.random.default_rng(0), Limits()) is None


def test_an_empty_mask_and_limits_out_of_range_are_refused(good: Taken) -> None:
    with pytest.raises(DatasetError, match=r"sick\.png: its mask marks nothing"):
        cut_out(look_at(good()), np.zeros((128, 128), np.bool_), "sick.png")
    for turn, scale in ((181.0, 1.2), (10.0, 2.5), (float("nan"), 1.2)):
        with pytest.raises(OptionError):
            Limits(turn_deg=turn, scale=scale)
