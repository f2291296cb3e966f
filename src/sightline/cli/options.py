"""Options that several commands share, and how their values are read."""

from pathlib import Path

import click

from sightline.errors import OptionError


class Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT or one number for a square, in pixels; becomes (height, width)."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) < 65_536 for part in parts):
            self.fail(f"{value!r} is not a size; write 256 or 512x1280.", param, ctx)
        width, height = int(parts[0]), int(parts[-1])
        return height, width


model_argument = click.argument("model", type=click.Path(path_type=Path))
data_argument = click.argument("data", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads that one graph run may use.  [default: every core]"
)
megapixels_option = click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    default=50.0,
    show_default=True,
    help="Refuse larger pictures before decoding them.",
)


def recalls(given: tuple[str, ...]) -> dict[str, float]:
    """Read TYPE=SHARE or SHARE ("all" is meant) options; raises OptionError for anything else."""
    wanted: dict[str, float] = {}
    for text in given:
        name, _, share = text.rpartition("=")
        try:
            wanted[name or "all"] = float(share)
        except ValueError:
            raise OptionError(f'recall "{text}" is not understood; write 0.99 or crack=0.99.') from None
    return wanted
