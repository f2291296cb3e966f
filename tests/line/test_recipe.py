"""A recipe is read whole, and everything that is wrong with it is told at once, by line."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from sightline.errors import OptionError
from sightline.line.fitness import Cause, FitnessLimits
from sightline.line.fusion import Fusing
from sightline.line.images import ImagePolicy, Policy
from sightline.line.recipe import Doubt, Missed, Recipe, Track, View, read_recipe, window_s
from sightline.records import Box

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipe.md"
SMALL = """product = "disc"
number = 7
window_ms = 180

[plc]
kind = "modbus"

[[views]]
name = "top"
model = "top.sight"
camera = { kind = "sim" }

[[views]]
name = "side"
model = "top.sight"
[views.camera]
kind = "sim"
[views.fitness]
frozen_after = 4

[store]
folder = "records"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in re.findall(r'"([\w-]+\.(?:sight|png|token|pem))"', PAGE.read_text("utf-8")):
        (tmp_path / name).touch()
    (tmp_path / "top.sight").touch()
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "disc.toml"
    path.write_text(text, encoding="utf-8")
    return path


def errors(folder: Path, text: str) -> list[str]:
    with pytest.raises(OptionError) as refused:
        read_recipe(written(folder, text))
    return [line.removeprefix(f"{folder}/") for line in str(refused.value).splitlines()]


def example() -> str:
    found = re.search(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def simple_window(
    *, speed_mm_s: float, distance_mm: float, plc_cycle_s: float, actuator_s: float, tolerance_mm: float
) -> float:
    left = (distance_mm - tolerance_mm) / speed_mm_s - 2 * plc_cycle_s - actuator_s
    if left <= 0:
        raise OptionError("no time is left.")
    return left


def test_the_documented_example_is_read(folder: Path) -> None:
    recipe = read_recipe(written(folder, example()), window=simple_window)
    assert (recipe.product, recipe.number, recipe.review) == ("disc-204", 7, Doubt.REJECT)
    top, side = recipe.views
    assert (top.model, top.reject_at, top.weight) == (folder / "disc-top.sight", 1.4, 2.0)
    assert top.region
    assert top.region.box == Box(x=100, y=40, width=1200, height=1000)
    assert isinstance(top.camera, dict)
    assert top.camera["kind"] == "genicam"
    assert top.fitness.least_sharpness == 0.6
    assert (side.name, side.fitness) == ("side", FitnessLimits())
    assert recipe.gate.tracked_by is Track.STATION
    assert recipe.fusion.rule is Fusing.WORST
    assert recipe.challenge.when_missed is Missed.STOP
    assert recipe.store.images.policy is Policy.SAMPLE
    assert recipe.plant
    assert recipe.plant.token_file == folder / "plant.token"
    assert window_s(recipe, simple_window) == pytest.approx((250 - 20) / 400 - 0.02 - 0.04)


def test_every_key_is_in_the_example() -> None:
    text = example()
    for record in (Recipe, View, FitnessLimits, ImagePolicy):
        for member in fields(record):
            assert re.search(rf"^(# )?{member.name} =|^\[+(\w+\.)?{member.name}\]+", text, re.MULTILINE), member.name


def test_every_cause_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    assert [cause for cause in Cause if f"`{cause}`" not in page] == []


def test_a_small_recipe_has_its_defaults(folder: Path) -> None:
    recipe = read_recipe(written(folder, SMALL))
    assert [view.fitness.frozen_after for view in recipe.views] == [2, 4]
    assert window_s(recipe, simple_window) == 0.18
    assert recipe.store.folder == folder / "records"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("number = 7", 'number = "7"', "disc.toml, line 2: number: is '7'; give a whole number from 1 to 65535."),
        ("number = 7", "number = true", "disc.toml, line 2: number: is true; give a whole number from 1 to 65535."),
        ("number = 7", "number = 0", "disc.toml, line 2: number: is 0; give a whole number from 1 to 65535."),
        ("number = 7\n", "", "disc.toml, line 1: number: is missing; give a whole number from 1 to 65535."),
        ("window_ms = 180", "window_ms = nan", "disc.toml, line 3: window_ms: is nan; give a number above 0."),
        ("window_ms = 180", "window_ms = 0", "disc.toml, line 3: window_ms: is 0; give a number above 0."),
        ("window_ms", "windov_ms", "disc.toml, line 3: windov_ms: there is no such key; did you mean window_ms?"),
        ('"side"', '"top"', "disc.toml, line 1: two views are called 'top'; give each its own name."),
        ('"side"', '"my side"', "disc.toml, line 13: views[1]: name is 'my side'; give letters"),
        ("frozen_after = 4", "frozen_after = 1", "disc.toml, line 18: views[1].fitness: frozen_after is 1"),
        ("frozen_after = 4", "frosen = 4", "disc.toml, line 19: views[1].fitness.frosen: there is no such key"),
        ('kind = "modbus"', "", ""),
        ("[plc]", "[[plc]]", "disc.toml, line 5: plc: is [{'kind': 'modbus'}]; give a table."),
        ('name = "top"\n', "", "disc.toml, line 8: views[0].name: is missing; give text."),
        ('"top.sight"\n[views', '"none.sight"\n[views', "disc.toml, line 15: views[1].model: "),
        ('folder = "records"', "", "disc.toml, line 21: store.folder: is missing; give a path."),
        (
            'folder = "records"',
            'folder = "r"\nimages.policy = "some"',
            "disc.toml, line 23: store.images.policy: is 'some'; give one of all, sample, rejects, none.",
        ),
        ("window_ms = 180", "", "disc.toml, line 1: give one of window_ms and [conveyor]"),
        ("window_ms = 180", "review = 'maybe'", "disc.toml, line 3: review: is 'maybe'; give one of reject, pass."),
        ("[plc]", "[plc", "disc.toml: is no TOML: "),
        ("number = 7", "number = 7\nnumber = 8", "disc.toml: is no TOML: "),
    ],
)
def test_an_error_is_told_with_line_key_and_cure(folder: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    if not message:  # what a PLC's table must have is for its own reader to say
        assert read_recipe(written(folder, text)).plc == {}
        return
    (found,) = errors(folder, text)
    assert found.startswith(message)


def test_all_errors_are_told_at_once_in_the_order_of_their_lines(folder: Path) -> None:
    text = SMALL.replace("number = 7", "number = -1").replace("frozen_after", "frozen").replace("product", "produkt")
    found = [re.sub(r".* line (\d+): (.*?):.*", r"\1 \2", line) for line in errors(folder, text)]
    assert sorted(found, key=lambda line: int(line.split()[0])) == found
    assert set(found) == {"1 produkt", "1 product", "2 number", "19 views[1].fitness.frozen"}


def test_what_a_device_says_of_its_table_is_told_with_the_rest(folder: Path) -> None:
    def refuse(table: Mapping[str, object], place: str) -> object:
        raise OptionError(f"{place}.kind: is {table['kind']!r}; choose another.")

    with pytest.raises(OptionError) as refused:
        read_recipe(written(folder, SMALL), camera=refuse, plc=lambda table, place: place)
    assert [line.removeprefix(f"{folder}/") for line in str(refused.value).splitlines()] == [
        "disc.toml, line 11: views[0].camera.kind: is 'sim'; choose another.",
        "disc.toml, line 16: views[1].camera.kind: is 'sim'; choose another.",
    ]


def test_a_window_that_leaves_no_time_is_told_where_the_conveyor_is(folder: Path) -> None:
    text = SMALL.replace("window_ms = 180\n", "") + "[conveyor]\nspeed_mm_s = 9000\ngate_mm = 1\npitch_mm = 5\n"
    with pytest.raises(OptionError, match=r"line 22: conveyor: no time is left\."):
        read_recipe(written(folder, text), window=simple_window)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda path: path.write_text("# " + "x" * 2_000_000), "that is no recipe"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(folder: Path, spoil: Callable[[Path], object], message: str) -> None:
    path = written(folder, SMALL)
    spoil(path)
    with pytest.raises(OptionError, match=message):
        read_recipe(path)
