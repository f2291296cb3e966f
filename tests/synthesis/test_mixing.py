"""How many synthetic pictures go beside the real ones."""

import pytest

from sightline.errors import OptionError
from sightline.synthesis.mixing import Mix, Share, in_all, plan, shares

REAL = {"good": 60, "crack": 10, "dent": 2}


@pytest.mark.parametrize(
    ("mix", "wanted"),
    [
        pytest.param(Mix(per_class=7), {"crack": 7, "dent": 7, "stain": 7}, id="a number each"),
        pytest.param(Mix(class_ratio=0.5), {"crack": 10, "dent": 2, "stain": 0}, id="half of each class"),
        pytest.param(Mix(ratio=0.1), {"crack": 0, "dent": 3, "stain": 5}, id="the rarest first"),
        pytest.param(Mix(ratio=0.4), {"crack": 10, "dent": 18, "stain": 20}, id="level in the end"),
    ],
)
def test_a_mix_is_what_was_asked_for(mix: Mix, wanted: dict[str, int]) -> None:
    assert plan(mix, ("crack", "dent", "stain"), REAL) == wanted


@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.3, 0.7])
def test_the_share_in_all_is_met_to_the_nearest_picture(ratio: float) -> None:
    wanted = plan(Mix(ratio=ratio), ("crack", "dent", "stain"), REAL)
    assert sum(wanted.values()) == round(72 * ratio / (1 - ratio))


def test_shares_are_told_per_class_and_in_all() -> None:
    found = shares({"dent": 6, "stain": 4}, REAL)
    assert found["dent"] == Share(real=2, synthetic=6)
    assert (found["dent"].ratio, found["good"].ratio, found["stain"].ratio) == (0.75, 0.0, 1.0)
    assert in_all(found) == Share(real=72, synthetic=10)


def test_mixes_that_cannot_be_made_are_refused() -> None:
    for given in ({}, {"per_class": 3, "ratio": 0.5}, {"per_class": 0}, {"ratio": 1.0}, {"class_ratio": float("nan")}):
        with pytest.raises(OptionError):
            Mix(**given)
    with pytest.raises(OptionError, match="no class to make"):
        plan(Mix(per_class=3), (), REAL)
    with pytest.raises(OptionError, match="asks for 0 synthetic"):
        plan(Mix(class_ratio=0.5), ("stain",), REAL)
    with pytest.raises(OptionError, match="asks for"):
        plan(Mix(ratio=0.99999), ("stain",), REAL)
