"""What a rendered part promises, for every kind of defect."""

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.records import BoolArray
from sightline.synthesis.assembly import DISC_MM, Drive
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, RenderedPart, render
from sightline.synthesis.traces import FIELD_MM

SMALL = PartConfig(size=128)
KINDS = pytest.mark.parametrize("defect", list(DefectType), ids=str)


def photograph(
    seed: int, defect: DefectType | None = None, config: PartConfig = SMALL, severity: float | None = None
) -> RenderedPart:
    return render(config, np.random.default_rng(seed), defect=defect, severity=severity)


def beyond_the_part(config: PartConfig, margin_mm: float) -> BoolArray:
    axis = (np.arange(config.size) + 0.5) * FIELD_MM / config.size - FIELD_MM / 2
    reach = DISC_MM + config.shift_mm * 2**0.5 + margin_mm
    return np.asarray(np.hypot(axis[:, None], axis) > reach, np.bool_)


def test_a_good_part_has_an_empty_mask_and_no_severity() -> None:
    part = photograph(0)
    assert part.label == "good"
    assert part.severity is None
    assert part.pixels.shape == (128, 128, 3)
    assert part.pixels.dtype == np.uint8
    assert part.mask.shape == (128, 128)
    assert part.mask.dtype == np.bool_
    assert not part.mask.any()


@KINDS
def test_the_same_seed_gives_the_same_part(defect: DefectType) -> None:
    first, second = photograph(11, defect), photograph(11, defect)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.mask, second.mask)
    assert first.severity == second.severity


def test_another_seed_gives_another_part() -> None:
    assert not np.array_equal(photograph(1).pixels, photograph(2).pixels)


@KINDS
def test_outside_its_mask_a_defect_changes_nothing(defect: DefectType) -> None:
    for seed in (0, 1):
        good, bad = photograph(seed), photograph(seed, defect)
        assert bad.label == defect.value
        assert bad.mask.any()
        np.testing.assert_array_equal(bad.pixels[~bad.mask], good.pixels[~bad.mask])
        assert (bad.pixels[bad.mask] != good.pixels[bad.mask]).any(axis=1).mean() > 0.5


@KINDS
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_a_defect_of_any_severity_is_seen_and_is_not_most_of_the_picture(defect: DefectType, severity: float) -> None:
    part = photograph(5, defect, severity=severity)
    assert part.severity is not None
    assert severity <= part.severity <= 1
    assert 9 * 0.25 <= part.mask.sum() < part.mask.size / 4


@KINDS
def test_a_defect_lies_on_the_part(defect: DefectType) -> None:
    margin = 16.0 if defect is DefectType.OTHER else 0.6  # a fibre may hang over the rim
    for seed in (3, 4):
        assert not (photograph(seed, defect).mask & beyond_the_part(SMALL, margin)).any()


def test_more_severe_tint_is_a_larger_change() -> None:
    def change(severity: float) -> float:
        good, bad = photograph(8), photograph(8, DefectType.DISCOLORATION, severity=severity)
        return float(np.abs(bad.pixels.astype(float) - good.pixels).sum())

    assert change(1.0) > change(0.0)


def test_a_generator_is_advanced_alike_by_good_and_bad_parts() -> None:
    first, second = np.random.default_rng(4), np.random.default_rng(4)
    render(SMALL, first)
    render(SMALL, second, defect=DefectType.SCRATCH)
    assert first.integers(1000) == second.integers(1000)


@pytest.mark.parametrize("size", [64, 97, 320])
def test_a_picture_has_the_size_that_was_asked(size: int) -> None:
    part = photograph(0, DefectType.MISSING_COMPONENT, PartConfig(size=size))
    assert part.pixels.shape == (size, size, 3)
    assert part.mask.shape == (size, size)
    assert part.mask.any()


def test_16_bits_hold_the_same_picture_more_finely() -> None:
    coarse = photograph(2, config=PartConfig(size=128)).pixels
    fine = photograph(2, config=PartConfig(size=128, bit_depth=16)).pixels
    assert fine.dtype == np.uint16
    assert len(np.unique(fine)) > 1000
    np.testing.assert_allclose(fine / 257, coarse, atol=0.501)


def test_the_part_is_brighter_than_the_belt_and_hardly_clipped() -> None:
    part = photograph(6)
    grey = part.pixels.mean(axis=2)
    assert grey[:8, :8].mean() < 60
    assert np.median(grey[~beyond_the_part(SMALL, -4)]) > 110
    assert (part.pixels == 255).mean() < 0.02


def test_two_good_parts_differ_by_light_and_grain() -> None:
    config = PartConfig(size=128, shift_mm=0, turn_deg=0)
    change = np.abs(photograph(0, config=config).pixels.astype(float) - photograph(1, config=config).pixels)
    assert 2 < change[~beyond_the_part(config, -2)].mean() < 40


def test_options_reach_the_picture() -> None:
    plain = photograph(3).pixels
    for other in (
        PartConfig(size=128, drive=Drive.SLOT),
        PartConfig(size=128, text="XK-9"),
        PartConfig(size=128, turn_deg=90),
        PartConfig(size=128, noise=0),
    ):
        assert not np.array_equal(photograph(3, config=other).pixels, plain)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", 63),
        ("size", 4097),
        ("bit_depth", 12),
        ("shift_mm", -1.0),
        ("turn_deg", float("nan")),
        ("light_turn_deg", 181.0),
        ("light_change", 0.6),
        ("blur_px", 0.0),
        ("noise", float("inf")),
        ("text", ""),
        ("text", "thirteen long"),
        ("text", "Größe"),
    ],
)
def test_a_wrong_option_is_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(OptionError, match=option):
        PartConfig(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan")])
def test_a_severity_out_of_range_is_refused(severity: float) -> None:
    with pytest.raises(OptionError, match="severity"):
        photograph(0, DefectType.DENT, severity=severity)
