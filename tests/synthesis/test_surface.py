"""Light on surfaces whose brightness can be worked out by hand."""

import math

import numpy as np
import pytest

from sightline.records import FloatArray
from sightline.synthesis.surface import Light, Surface, clouds, shade, smoothstep

RIGHT = Light(azimuth_rad=0.0, elevation_rad=math.radians(50), intensity=1.0)


def plate(gloss: float, size: int = 40) -> Surface:
    """A flat white plate with its grooves along x."""

    def plane(value: float) -> FloatArray:
        return np.full((size, size), value, np.float32)

    return Surface(
        pitch_mm=0.5,
        height=plane(0),
        grain=plane(0),
        albedo=np.ones((3, size, size), np.float32),
        gloss=plane(gloss),
        coat=plane(0),
        exposure=plane(1),
        body=plane(1),
        tangent_x=plane(1),
        tangent_y=plane(0),
    )


def test_a_flat_matte_plate_is_lit_by_the_cosine_of_the_lamp() -> None:
    low, high = (
        shade(plate(0), [Light(azimuth_rad=1.0, elevation_rad=math.radians(angle), intensity=1)], 0.0)
        for angle in (30, 90)
    )
    np.testing.assert_allclose(low, high * 0.5, rtol=1e-5)
    assert np.ptp(low) == 0


def test_metal_shines_when_the_lamp_stands_across_the_grooves() -> None:
    across = Light(azimuth_rad=math.pi / 2, elevation_rad=RIGHT.elevation_rad, intensity=1.0)
    assert shade(plate(1), [across], 0.0).mean() > 2 * shade(plate(1), [RIGHT], 0.0).mean()


def test_light_adds_up() -> None:
    both = shade(plate(1), [RIGHT, RIGHT], 0.0)
    np.testing.assert_allclose(both, 2 * shade(plate(1), [RIGHT], 0.0), rtol=1e-5)


def test_a_slope_towards_the_lamp_is_brighter_than_one_away_from_it() -> None:
    ridge = plate(0)
    ridge.height[:] = -np.abs(np.arange(40, dtype=np.float32) - 19.5) * np.float32(0.2)  # falls off to both sides
    lit = shade(ridge, [RIGHT], 0.0)[20, :, 0]
    assert lit[30] > lit[10]


def test_bands_leave_no_seam() -> None:
    ramp = plate(1, size=70)
    ramp.height[:] = np.arange(70, dtype=np.float32)[:, None] * np.float32(0.1)
    assert np.ptp(shade(ramp, [RIGHT], 0.2)[1:-1]) < 1e-6


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (1.0, 0.0), (2.0, 0.5), (3.0, 1.0), (9.0, 1.0)])
def test_smoothstep_is_level_at_both_ends(value: float, expected: float) -> None:
    assert smoothstep(np.asarray([value], np.float32), 1, 3)[0] == pytest.approx(expected)


def test_clouds_are_seeded_smooth_and_centred() -> None:
    first, second = (clouds(np.random.default_rng(1), (200, 300), 6) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (200, 300)
    assert abs(first.mean()) < 0.5
    assert 0.5 < first.std() < 1.6
    assert np.abs(np.diff(first, axis=0)).max() < 0.5


def test_a_window_is_cut_at_the_border_and_measured_from_its_point() -> None:
    window = plate(0).window(-9.75, 0.25, 1.0)  # the first sample's centre lies at -9.75 mm
    assert (window.rows, window.cols) == (slice(18, 23), slice(0, 3))
    np.testing.assert_allclose(window.x[0], [0.0, 0.5, 1.0], atol=1e-6)
    np.testing.assert_allclose(window.y[:, 0], [-1.0, -0.5, 0.0, 0.5, 1.0], atol=1e-6)


def test_a_window_beside_the_picture_still_has_a_sample() -> None:
    assert plate(0).window(500, -500, 1).radius.shape == (1, 1)
