"""Rendered parts with height: the picture stays as it is, and the depth map shows the same part and its defect."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, RenderedPart, render
from sightline.synthesis.profiler import STANDOFF_UM, Profiler
from sightline.synthesis.relief import ShapeDefect

SMALL = PartConfig(size=128, shift_mm=0, turn_deg=0)
IDEAL = Profiler(noise_um=0, dropouts=0, angle_deg=0, play_um=0, tilt_deg=0)


def made(
    defect: DefectType | ShapeDefect | None = None, *, profiler: Profiler | None = IDEAL, seed: int = 3
) -> RenderedPart:
    severity = None if defect is None else 0.7
    return render(SMALL, np.random.default_rng(seed), defect=defect, severity=severity, profiler=profiler)


def heights(part: RenderedPart) -> NDArray[np.float64]:
    """Micrometres above the disc's face."""
    assert part.depth is not None
    assert part.depth.dtype == np.uint16
    return part.depth.astype(np.float64) - STANDOFF_UM


@pytest.mark.parametrize("defect", [None, DefectType.SCRATCH, DefectType.MISSING_COMPONENT])
def test_the_picture_is_the_same_with_and_without_a_profiler(defect: DefectType | None) -> None:
    with_depth, without = made(defect, profiler=Profiler()), made(defect, profiler=None)
    np.testing.assert_array_equal(with_depth.pixels, without.pixels)
    np.testing.assert_array_equal(with_depth.mask, without.mask)
    assert without.depth is None


def test_heights_are_those_of_the_drawing() -> None:
    um = heights(made())
    assert um[64, 30] == pytest.approx(0, abs=20)  # 17 mm left of the centre, the plain face
    assert um[64, 64 + 15] == pytest.approx(550, abs=20)  # the boss, 0.55 mm
    assert um[64, 64] == pytest.approx(-3150, abs=20)  # through the bore: the boss less its chamfer, less 3 mm
    assert um[2, 2] == pytest.approx(-3700, abs=60)  # the belt
    assert um.max() == pytest.approx(1500, abs=100)  # the screw's head


def test_noise_lost_points_and_shadows_are_there() -> None:
    ideal, real = made(), made(profiler=Profiler(play_um=0, tilt_deg=0))
    assert ideal.depth is not None
    assert real.depth is not None
    assert ideal.depth.min() > 0
    error = (heights(real) - heights(ideal))[60:68, 25:40]
    seen = real.depth[60:68, 25:40] > 0
    assert 2 < error[seen].std() < 8
    assert 0.005 < (real.depth == 0).mean() < 0.15
    shadow = real.depth[50:78, 52:76] == 0  # in the bore, on the side of the lamp, to the right
    assert shadow[:, 12:].sum() > 3 * shadow[:, :12].sum()


def test_the_same_seed_gives_the_same_depth_map() -> None:
    one, two, other = (made(profiler=Profiler(), seed=seed).depth for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("defect", [DefectType.DENT, DefectType.SCRATCH, *ShapeDefect])
def test_a_defect_of_the_surface_changes_the_height_where_the_mask_is(defect: DefectType | ShapeDefect) -> None:
    good, bad = made(), made(defect)
    change = np.abs(heights(bad) - heights(good))
    assert change[bad.mask].max() > 10
    wide = cv2.dilate(bad.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert change[~wide].max() < 20


@pytest.mark.parametrize("defect", list(ShapeDefect))
def test_a_defect_of_shape_hardly_changes_the_picture(defect: ShapeDefect) -> None:
    good, bad = made(), made(defect)
    change = np.abs(good.pixels.astype(int) - bad.pixels.astype(int))
    assert change[~bad.mask].max() == 0
    assert np.quantile(change[bad.mask], 0.9) < 16
    assert np.abs(heights(bad) - heights(good))[bad.mask].max() > 50


def test_a_print_that_is_missing_or_moved_does_not_change_the_height() -> None:
    good = heights(made())
    prints = [heights(made(DefectType.MISALIGNMENT, seed=3)), good]
    assert np.abs(prints[0] - prints[1]).max() < 2


def test_options_out_of_range_are_refused_by_name() -> None:
    for name, value in (("noise_um", -1), ("angle_deg", 90), ("dropouts", float("nan"))):
        with pytest.raises(OptionError, match=name):
            Profiler(**{name: value})


def test_a_set_with_depth_has_the_pictures_of_one_without_and_more_beside(tmp_path: Path) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    config, counts = PartConfig(size=64), Counts(good_train=1, good_test=1, per_defect=1)
    write_dataset(tmp_path / "flat", config, counts, seed=4)
    write_dataset(tmp_path / "deep", config, counts, seed=4, profiler=Profiler())
    flat, deep = contents(tmp_path / "flat"), contents(tmp_path / "deep")
    assert flat == {name: deep[name] for name in flat}
    pictures = {name for name in deep if "ground_truth" not in name and ".depth" not in name}
    assert {f"test/{kind}/000.png" for kind in ShapeDefect} <= pictures
    assert {name.replace(".png", ".depth.png") for name in pictures} <= set(deep)
    assert len(deep) == 2 * len(pictures) + len(DefectType) + len(ShapeDefect)
