"""What is painted onto a good picture fits it, and the mask says where."""

import numpy as np
import pytest
from tests.synthesis.conftest import Taken

from sightline.errors import FrameError, OptionError
from sightline.synthesis.painting import PaintKind, paint_defect
from sightline.synthesis.pieces import find_pieces, remove_piece, shift_piece
from sightline.synthesis.scene import edge_blur_px, find_part, look_at, noise_level


@pytest.mark.parametrize("kind", PaintKind)
@pytest.mark.parametrize(("channels", "bit_depth"), [(1, 8), (3, 16)])
def test_the_change_lies_at_the_mask_and_nothing_else_moves(
    good: Taken, kind: PaintKind, channels: int, bit_depth: int
) -> None:
    scene = look_at(good(channels=channels, bit_depth=bit_depth))
    spoilt = paint_defect(scene, kind, np.random.default_rng(1), 0.6)
    change = np.abs(spoilt.values - scene.values).max(axis=2)
    assert spoilt.mask.any()
    assert change[spoilt.mask].mean() > 5 * change[~spoilt.mask].mean()
    assert np.count_nonzero(change[~spoilt.mask]) < change.size / 2
    assert spoilt.values.shape == scene.values.shape
    assert 0 <= spoilt.values.min() <= spoilt.values.max() <= 1


@pytest.mark.parametrize("kind", PaintKind)
def test_the_same_seed_paints_the_same_and_another_does_not(good: Taken, kind: PaintKind) -> None:
    scene = look_at(good())
    first, again, other = (paint_defect(scene, kind, np.random.default_rng(seed), 0.5) for seed in (3, 3, 4))
    assert np.array_equal(first.values, again.values)
    assert not np.array_equal(first.mask, other.mask)


@pytest.mark.parametrize("kind", PaintKind)
def test_defects_stay_on_the_part(good: Taken, kind: PaintKind) -> None:
    scene = look_at(good(disc=True))
    for seed in range(4):
        spoilt = paint_defect(scene, kind, np.random.default_rng(seed))
        assert np.array_equal(spoilt.values[~scene.surface], scene.values[~scene.surface])


def test_a_more_severe_stain_has_more_contrast(good: Taken) -> None:
    scene = look_at(good())

    def contrast(severity: float) -> float:
        spoilt = [paint_defect(scene, PaintKind.STAIN, np.random.default_rng(s), severity) for s in range(8)]
        return float(np.mean([np.abs(one.values - scene.values)[one.mask].mean() for one in spoilt]))

    assert 0.02 < contrast(0.0) < 0.6 * contrast(1.0)


def test_a_stain_is_in_proportion_to_the_light_that_falls_on_it(good: Taken) -> None:
    bright = good()
    dark = good()
    dark.pixels[:] = np.rint(dark.pixels * 0.5)
    shares = []
    for frame in (bright, dark):
        scene = look_at(frame)
        spoilt = paint_defect(scene, PaintKind.STAIN, np.random.default_rng(0), 0.8)
        shares.append(float((spoilt.values[spoilt.mask] / scene.brightness[spoilt.mask]).mean()))
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_the_noise_within_a_stain_is_that_of_the_picture(good: Taken) -> None:
    scene = look_at(good())
    spoilt = paint_defect(scene, PaintKind.STAIN, np.random.default_rng(5), 0.9)
    rows, columns = np.nonzero(spoilt.mask)
    middle = slice(int(rows.mean()) - 6, int(rows.mean()) + 7), slice(int(columns.mean()) - 6, int(columns.mean()) + 7)
    assert 0.4 < noise_level(spoilt.values[middle]) / scene.noise < 1.5


def test_severity_out_of_range_is_refused(good: Taken) -> None:
    for severity in (-0.1, 1.1, float("nan")):
        with pytest.raises(OptionError, match="severity"):
            paint_defect(look_at(good()), PaintKind.DENT, np.random.default_rng(0), severity)


def test_noise_and_blur_are_measured(good: Taken) -> None:
    assert noise_level(look_at(good()).values) == pytest.approx(0.01, rel=0.15)
    sharp, soft = np.zeros((64, 64, 1), np.float32), np.zeros((64, 64, 1), np.float32)
    sharp[:, 32:] = 1
    soft[:] = np.clip((np.arange(64) - 26) / 12, 0, 1)[None, :, None]
    assert edge_blur_px(sharp, 0.0) < 0.9
    assert edge_blur_px(soft, 0.0) > 1.5


def test_the_part_is_found_where_a_background_is_evident_and_is_all_elsewhere(good: Taken) -> None:
    disc = find_part(np.asarray(good(disc=True).pixels / 255, np.float32))
    assert 0.35 < disc.mean() < 0.51
    assert not disc[0].any()
    assert find_part(np.asarray(good().pixels / 255, np.float32)).all()


@pytest.mark.parametrize(("side", "bit_depth"), [pytest.param(31, 8, id="too small"), pytest.param(64, 12, id="12")])
def test_pictures_that_cannot_be_used_are_told(good: Taken, side: int, bit_depth: int) -> None:
    with pytest.raises(FrameError, match="too small" if side < 32 else "12 significant bits"):
        look_at(good(side=side, bit_depth=bit_depth))


def test_a_piece_that_stands_out_can_go_missing(good: Taken) -> None:
    scene = look_at(good(disc=True))
    (hole,) = find_pieces(scene).found
    spoilt = remove_piece(scene, np.random.default_rng(0), 0.5)
    assert spoilt is not None
    assert spoilt.mask[64, 89]
    assert spoilt.values[64, 89, 0] == pytest.approx(0.55, abs=0.08)  # as the disc around it
    assert not (spoilt.mask[hole.at] & ~hole.mask).any()


def test_a_shifted_piece_is_marked_where_it_was_and_where_it_is(good: Taken) -> None:
    scene = look_at(good(disc=True))
    found = [shift_piece(scene, np.random.default_rng(seed), 0.9) for seed in range(4)]
    shifted = [one for one in found if one]
    assert shifted
    for one in shifted:
        assert one.mask[64, 89]
        assert one.values[one.mask].min() < 0.15  # the hole is still there, elsewhere
        assert one.values[64, 89, 0] > scene.values[64, 89, 0]


def test_where_nothing_stands_out_a_piece_breaks_off_the_edge_and_none_is_shifted(good: Taken) -> None:
    scene = look_at(good())
    assert find_pieces(scene).found == ()
    assert shift_piece(scene, np.random.default_rng(0), 0.5) is None
    broken = remove_piece(scene, np.random.default_rng(0), 0.8)
    assert broken is not None
    border = np.concatenate([broken.mask[0], broken.mask[-1], broken.mask[:, 0], broken.mask[:, -1]])
    assert border.any()
