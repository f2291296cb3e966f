"""Options that several commands share, and how their values are read; a wrong one is wrong usage, exit status 2."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from sightline.errors import BundleError
from sightline.segment_rule import Zone

MAX_SIDE_PX = 65_535
Command = TypeVar("Command", bound=Callable[..., Any])


class Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT or one number for a square, in pixels; becomes (height, width)."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        # the length first: Python refuses to read a number of thousands of digits
        if len(parts) > 2 or not all(p.isdecimal() and len(p) <= 5 and 0 < int(p) <= MAX_SIDE_PX for p in parts):
            self.fail(f"{value!r} is not a size; write 256 or 512x1280 (width x height, px).", param, ctx)
        width, height = int(parts[0]), int(parts[-1])
        return height, width


class Place(click.Path):
    """A path; an empty one would mean the folder one happens to be in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty; give a path, or '.' for the folder you are in.", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A finite number in a range; "nan" would pass every comparison."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number to work with.", param, ctx)
        return number


class Recall(click.ParamType[tuple[str, float]]):
    """TYPE=SHARE, or SHARE for all defects together; becomes (type, share) with "all" for the latter."""

    name = "recall"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, text = str(value).rpartition("=")
        try:
            share = float(text)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            self.fail(f"{value!r} is not a recall; write 0.99 or crack=0.99, above 0 and at most 1.", param, ctx)
        return name or "all", share


class Rectangle(click.ParamType[Zone]):
    """X,Y,WIDTH,HEIGHT in shares of the picture, and =WEIGHT from 0 to 1 where it is not 1; becomes a Zone."""

    name = "rectangle"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Zone:
        if isinstance(value, Zone):
            return value
        sides, _, weight = str(value).partition("=")
        try:
            x, y, width, height = (float(side) for side in sides.split(","))
            return Zone(x=x, y=y, width=width, height=height, weight=float(weight or 1))
        except (ValueError, BundleError):
            self.fail(
                f"{value!r} is not a zone; write X,Y,WIDTH,HEIGHT within 0 to 1, such as 0.25,0.25,0.5,0.5=0.8.",
                param,
                ctx,
            )


PLACE = Place()
SHARE = Number(min=0, min_open=True, max=1, max_open=True)
COST = Number(min=0, min_open=True)

model_argument = click.argument("model", type=PLACE)
data_argument = click.argument("data", type=PLACE)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 256),
    metavar="NUMBER",
    help="Threads that one graph run may use.  [default: every core]",
)
megapixels_option = click.option(
    "--max-megapixels",
    type=Number(min=0, min_open=True),
    metavar="NUMBER",
    default=50.0,
    show_default=True,
    help="Refuse larger pictures before decoding them.",
)


overkill_option = click.option(
    "--max-overkill",
    type=SHARE,
    metavar="SHARE",
    default=0.01,
    show_default=True,
    help="Share of good parts that may be rejected.",
)


def seed_option(says: str) -> Callable[[Command], Command]:
    """`--seed`, a whole number that every generator of random numbers takes; `says` is its help."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), metavar="NUMBER", default=0, show_default=True, help=says
    )


def by_type(option: str, given: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Defect type -> recall; UsageError where a type was given twice, as one of the two would be ignored."""
    wanted = dict(given)
    if len(wanted) < len(given):
        raise click.UsageError(f"{option} names a defect type twice; give each once.")
    return wanted
