"""Recipes that a new product begins with."""

import pytest

from sightline.console.product.draft import plain_name
from sightline.console.product.finishing import CAMERAS, CONTROLLERS, recipe_text
from sightline.store.recipes import check


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("plc", CONTROLLERS)
def test_a_recipe_is_one_that_the_server_takes(camera: str, plc: str) -> None:
    assert check(recipe_text("cap", 3, camera, plc), "cap").number == 3


@pytest.mark.parametrize(
    ("typed", "plain"),
    [("Ring 30 mm", "Ring-30-mm"), (" Bügel/links ", "Buegel-links"), ("cap", "cap"), ("§§", ""), ("..x", "x")],
)
def test_a_name_is_made_to_fit(typed: str, plain: str) -> None:
    assert plain_name(typed) == plain
