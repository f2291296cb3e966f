"""Changes of light, place and focus: drawn from the generator, within range, and none where none are asked for."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from sightline.models.augmentation import CHECKED, PRESETS, Changes, augment, blurred, strongest
from sightline.models.class_config import MATERIALS

STRONG = Changes(mirror=True, turn_deg=10, shift=0.1, zoom=0.1, light=0.3, colour=0.1, blur=1.0, noise=0.1)


def pictures() -> torch.Tensor:
    return torch.rand(4, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def test_the_same_generator_makes_the_same_pictures_within_range() -> None:
    first, second = (augment(pictures(), STRONG, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(pictures(), STRONG, np.random.default_rng(4)))
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert first.shape == (4, 3, 24, 32)


def test_no_change_leaves_a_picture_as_it_is() -> None:
    same = augment(pictures(), Changes(), np.random.default_rng(0))
    torch.testing.assert_close(same, pictures(), atol=2e-4, rtol=0)


def test_mirrored_pictures_are_mirrored_exactly() -> None:
    found = augment(pictures(), Changes(mirror=True), np.random.default_rng(1))
    for before, after in zip(pictures(), found, strict=True):
        ways = [before, before.flip(1), before.flip(2), before.flip(1, 2)]
        assert min(float((way - after).abs().max()) for way in ways) < 2e-4


def test_blur_keeps_the_light_and_takes_detail() -> None:
    out = blurred(pictures(), 1.0)
    assert float(out.mean()) == pytest.approx(float(pictures().mean()), abs=0.01)
    assert float(out.std()) < 0.5 * float(pictures().std())


@pytest.mark.parametrize("kind", CHECKED)
def test_the_strongest_change_of_a_kind_changes_and_stays_in_range(kind: str) -> None:
    for end in strongest(pictures(), kind, STRONG, np.random.default_rng(0)):
        assert not torch.equal(end, pictures())
        assert 0 <= float(end.min()) <= float(end.max()) <= 1


def test_every_material_has_a_preset_and_letters_are_never_mirrored() -> None:
    assert set(PRESETS) == set(MATERIALS)
    assert not PRESETS["printed"].mirror
    assert not PRESETS["none"].mirror


def test_a_kind_can_be_turned_off() -> None:
    assert STRONG.without("blur").blur == 0
    kept = [field.name for field in fields(STRONG) if field.name != "blur"]
    assert all(getattr(STRONG.without("blur"), name) == getattr(STRONG, name) for name in kept)
